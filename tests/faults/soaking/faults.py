"""Each kind of fault: how it begins, and how it is undone."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple

from tests.faults.frames import Way
from tests.faults.proxied import ProxiedCluster
from tests.faults.proxy import BOTH, CALM, Conditions, Proxy
from tests.faults.soaking.crew import Crew
from tests.faults.soaking.schedule import Planned

SLOW = Conditions(latency_s=0.02, jitter_s=0.1)


class Place(NamedTuple):
    """Where faults happen."""

    kafka: ProxiedCluster
    crew: Crew

    def networks(self, target: int) -> list[Proxy]:
        """One broker's, or everybody's."""
        proxies = self.kafka.proxies
        chosen = target % (len(proxies) + 1)
        return proxies if chosen == len(proxies) else [proxies[chosen]]

    def broker(self, target: int) -> int:
        return target % len(self.kafka.proxies)


Fault = Callable[[Place, Planned], AbstractContextManager[None]]


@contextmanager
def _worker_killed(place: Place, planned: Planned) -> Iterator[None]:
    number = place.crew.number(planned.target)
    place.crew.kill(number)
    yield
    place.crew.start(number)


@contextmanager
def _worker_frozen(place: Place, planned: Planned) -> Iterator[None]:
    number = place.crew.number(planned.target)
    place.crew.send(number, signal.SIGSTOP)
    yield
    place.crew.send(number, signal.SIGCONT)


@contextmanager
def _worker_left(place: Place, planned: Planned) -> Iterator[None]:
    number = place.crew.number(planned.target)
    place.crew.leave(number)
    yield
    place.crew.start(number)


@contextmanager
def _state_deleted(place: Place, planned: Planned) -> Iterator[None]:
    number = place.crew.number(planned.target)
    place.crew.kill(number)
    place.crew.delete_state(number)
    yield
    place.crew.start(number)


@contextmanager
def _broker_killed(place: Place, planned: Planned) -> Iterator[None]:
    number = place.broker(planned.target)
    place.kafka.kill(number)
    yield
    place.kafka.start(number)
    place.kafka.wait_in_sync()


@contextmanager
def _broker_frozen(place: Place, planned: Planned) -> Iterator[None]:
    number = place.broker(planned.target)
    place.kafka.pause(number)
    yield
    place.kafka.resume(number)
    place.kafka.wait_in_sync()


def _network(conditions: Conditions) -> Fault:
    @contextmanager
    def fault(place: Place, planned: Planned) -> Iterator[None]:
        for proxy in place.networks(planned.target):
            proxy.now(conditions)
        yield
        for proxy in place.networks(planned.target):
            proxy.now(CALM)

    return fault


@contextmanager
def _torn(place: Place, planned: Planned) -> Iterator[None]:
    """Requests and responses in turn, one after the other, for as long as it lasts."""
    end = time.monotonic() + planned.lasts_s
    ways = [Way.REQUEST, Way.RESPONSE]
    while (left := end - time.monotonic()) > 0:
        for proxy in place.networks(planned.target):
            proxy.tear(ways[0])
        for proxy in place.networks(planned.target):
            proxy.torn(left)
        ways.reverse()
    yield


FAULTS: dict[str, Fault] = {
    "worker killed": _worker_killed,
    "worker frozen beyond its session": _worker_frozen,
    "worker left and another came": _worker_left,
    "worker killed and its state directory deleted": _state_deleted,
    "broker killed": _broker_killed,
    "broker frozen": _broker_frozen,
    "network cut": _network(Conditions(held=BOTH)),
    "network cut one way": _network(Conditions(held=frozenset({Way.RESPONSE}))),
    "network slow": _network(SLOW),
    "connections torn": _torn,
}
