"""Where the demo plays: a Kafka, topics and a directory of its own, and what becomes of them afterwards."""

from __future__ import annotations

import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec
from confluent_kafka import KafkaException

from ...kafka.cluster import Cluster
from ...kafka.topics import TopicSet
from ...settings import PROGRAM, Settings
from ..broker import LocalBroker
from ..interrupts import uninterrupted
from .commands import Commands
from .screen import Screen
from .turn import take_turn


@dataclass
class Ending:
    """What stays when the demo is over: what was interrupted leaves nothing.

    keep: somebody asked for it. local: Kafka is this machine's own broker. started: it was started for the demo.
    """

    keep: bool
    local: bool
    started: bool = False
    interrupted: bool = False

    @property
    def kafka_stays(self) -> bool:
        return not self.started or self.all_stays

    @property
    def topics_stay(self) -> bool:
        """On the local broker they are in nobody's way, and the next demo deletes them."""
        return self.all_stays or (self.local and not self.interrupted)

    @property
    def all_stays(self) -> bool:
        return self.keep and not self.interrupted


class Stage(NamedTuple):
    """settings: complete, those of all commands. directory: for logs and the worker's store."""

    screen: Screen
    settings: Settings
    cluster: Cluster
    commands: Commands
    directory: Path
    ending: Ending


@contextmanager
def stage(screen: Screen, settings: Settings, *, keep: bool) -> Iterator[Stage]:
    """Kafka runs. At the end all commands have ended, and of the rest there is left what Ending says.

    Raises StateDirectory while another demo uses the local broker; MissingProgram, Connection.
    """
    ending = Ending(keep, local=not settings.bootstrap_servers)
    with ExitStack() as cleaning:
        try:
            yield _set_up(screen, settings, ending, cleaning)
        except KeyboardInterrupt:
            ending.interrupted = True
            screen.heading("Interrupted: cleaning up")
            raise
        finally:
            with uninterrupted():
                cleaning.close()


def _set_up(screen: Screen, settings: Settings, ending: Ending, cleaning: ExitStack) -> Stage:
    with uninterrupted():
        directory = Path(tempfile.mkdtemp(prefix=f"{PROGRAM}-demo-"))
        cleaning.callback(_unless, lambda: ending.all_stays, lambda: shutil.rmtree(directory))
    topics = TopicSet(f"demo-{uuid.uuid4().hex[:6]}")
    turn = None
    bootstrap = settings.bootstrap_servers
    if bootstrap is None:
        screen.act("kafka", "Kafka starts: a real broker, on this machine")
        broker = LocalBroker()
        turn = cleaning.enter_context(take_turn(broker.directory))
        bootstrap = _start(broker, screen, ending, cleaning)
    else:
        screen.act("kafka", f"Kafka is there: {bootstrap}")
    settings = msgspec.structs.replace(
        settings,
        bootstrap_servers=bootstrap,
        topic_prefix=topics.prefix,
        group=f"{topics.prefix}.processor",
        state_dir=directory / "state",
        # what the demo shows of a worker's log is meant for people
        log_level="info",
        log_format="text",
        metrics_port=None,
        # the process that is killed is the one that works
        processes=1,
    )
    cluster = Cluster(bootstrap, topics, settings.group, "demo", properties=settings.properties)
    if turn and turn.last_prefix:
        _delete_topics(cluster, turn.last_prefix, screen)
    if turn:
        turn.remember(topics.prefix)
    cleaning.callback(_unless, lambda: ending.topics_stay, lambda: _delete_topics(cluster, topics.prefix, screen))
    commands = Commands(screen, settings, directory)
    cleaning.callback(commands.close)
    return Stage(screen, settings, cluster, commands, directory, ending)


def _unless(stays: Callable[[], bool], clean: Callable[[], object]) -> None:
    """Asked at the end: an interruption changes what stays."""
    if not stays():
        clean()


def _start(broker: LocalBroker, screen: Screen, ending: Ending, cleaning: ExitStack) -> str:
    ending.started = not broker.status().running
    cleaning.callback(_unless, lambda: ending.kafka_stays, broker.stop)
    began = time.monotonic()
    with screen.working("starting …"):
        bootstrap = broker.start()
    how = f"ready after {time.monotonic() - began:.1f} s" if ending.started else "was running already"
    screen.fact(f"{bootstrap}, {how}")
    screen.fact(f"its data: {broker.directory}")
    return bootstrap


def _delete_topics(cluster: Cluster, prefix: str, screen: Screen) -> None:
    """Those that are left of a topic set."""
    admin = cluster.admin.client
    try:
        names = [name for name in admin.list_topics(timeout=10).topics if name.startswith(f"{prefix}.")]
        for future in admin.delete_topics(names).values() if names else ():
            future.result()
    except KafkaException as error:
        screen.fact(f"the topics {prefix}.* could not be deleted, and are left: {error.args[0].str()}")
