"""The brokers: reached, also where they tell clients to go; set up for what we do; and their clock."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Mapping

from ...errors import Configuration, Connection, NotAllowed
from ...kafka.direct import Address, ClockReading, advertised, clock, features
from ...kafka.inspection import TIMEOUT_S, Broker, broker_settings
from ...kafka.properties import is_plaintext
from ...settings import Settings
from ...units import duration_text
from ..deployment import Deployment
from ..findings import Finding, failure, ok, skipped, warning

LISTENER_TIMEOUT_S = 3.0

SKEW_S = 1.0
"""Ages that readers show are then wrong by more than anybody would overlook."""

TIMESTAMP_LIMIT = "log.message.timestamp.after.max.ms"

WEEK_MINUTES = 7 * 24 * 60


def broker(deployment: Deployment) -> Iterator[Finding]:
    admin = deployment.admin
    found = f"cluster {admin.cluster_id} answers at {admin.bootstrap_servers}, brokers: {admin.brokers}"
    levels = _features(deployment.direct())
    told = ", ".join(f"{name} {level}" for name, level in sorted(levels.items()))
    yield ok("broker", f"{found}{f' ({told})' if told else ''}")


def _features(addresses: list[Address]) -> dict[str, int]:
    """Of the first that answers: what the brokers' listeners are worth is the next check's matter."""
    for address in addresses[:1]:
        try:
            return features(address, LISTENER_TIMEOUT_S)
        except Connection:
            return {}
    return {}


def listeners(deployment: Deployment) -> Iterator[Finding]:
    """The bootstrap address is only for the first question; then clients use what the brokers advertise.

    So where librdkafka could not connect, the bootstrap addresses are asked for that by us.
    """
    known = _advertised(deployment)
    if not known:
        yield skipped("listeners", deployment.lacks("broker") or "the cluster tells no broker")
        return
    refused = _unreachable([each.advertised for each in known])
    for each in known:
        if each.advertised in refused:
            yield failure(
                "listeners",
                f"broker {each.id} advertises {each.advertised}, which cannot be reached from here "
                f"({refused[each.advertised]})",
                "start that broker, correct its advertised.listeners, or open the way from this host to that address",
                Connection,
            )
    deployment.unreachable = set(refused)
    if len(refused) == len(known):
        deployment.lose()
    if not refused:
        yield ok("listeners", f"reached: {', '.join(str(each.advertised) for each in known)}")


def _advertised(deployment: Deployment) -> list[Broker]:
    if deployment.lacks("broker") is None:
        return deployment.brokers
    if not is_plaintext(deployment.settings.properties):
        return []
    for text in (deployment.settings.bootstrap_servers or "").split(","):
        try:
            found = advertised(Address.parse(text), LISTENER_TIMEOUT_S) if text else {}
        except Connection:
            continue
        if found:
            return [Broker(number, address) for number, address in sorted(found.items())]
    return []


def _unreachable(addresses: list[Address]) -> dict[Address, str]:
    """All at once, in threads that nobody waits for: the lookup of a name has a time-out of its own."""
    answers: dict[Address, str | None] = {}

    def connect(address: Address) -> None:
        try:
            socket.create_connection(address, LISTENER_TIMEOUT_S).close()
        except OSError as error:
            answers[address] = error.strerror or str(error)
        else:
            answers[address] = None

    threads = [threading.Thread(target=connect, args=(address,), daemon=True) for address in addresses]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + LISTENER_TIMEOUT_S
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return {each: why for each in addresses if (why := answers.get(each, f"no answer in {LISTENER_TIMEOUT_S:g} s"))}


def settings(deployment: Deployment) -> Iterator[Finding]:
    problems: dict[Finding, list[int]] = {}
    for each in deployment.reachable():
        try:
            found = broker_settings(deployment.admin, each.id)
        except NotAllowed as error:
            why = str(error).partition("; ")[0]
            yield skipped("broker settings", why, "allow DESCRIBE_CONFIGS on the cluster to have them checked")
            return
        for problem in setting_problems(deployment.settings, deployment.admin.brokers, found):
            problems.setdefault(problem, []).append(each.id)
    for problem, which in problems.items():
        named = f"broker{'' if len(which) == 1 else 's'} {', '.join(map(str, which))}"
        yield Finding(problem.check, problem.outcome, f"{named}: {problem.found}", problem.advice, problem.exit_code)
    if not problems:
        yield ok("broker settings", "transactions, session time-outs, message sizes and retention of offsets fit")


def setting_problems(ours: Settings, brokers: int, found: Mapping[str, str | None]) -> Iterator[Finding]:
    """Of one broker. A setting that it does not have is its default, of which none is a problem."""
    check = "broker settings"

    def value(name: str, default: int) -> int:
        return int(found.get(name) or default)

    transaction_ms = int(ours.transaction_timeout * 1000)
    if (most := value("transaction.max.timeout.ms", 900_000)) < transaction_ms:
        yield failure(
            check,
            f"transaction.max.timeout.ms={most}, needed at least {transaction_ms}: workers cannot start a transaction",
            f"set transaction_timeout to at most {most}ms, or raise it at the broker",
            Configuration,
        )
    session_ms = int(ours.session_timeout * 1000)
    least, most = value("group.min.session.timeout.ms", 6_000), value("group.max.session.timeout.ms", 1_800_000)
    if not least <= session_ms <= most:
        yield failure(
            check,
            f"session time-outs from {least} to {most} ms are allowed, ours is {session_ms}: workers cannot join",
            f"set session_timeout between {least}ms and {most}ms, or change group.min/max.session.timeout.ms",
            Configuration,
        )
    if (kept := value("offsets.retention.minutes", WEEK_MINUTES)) < WEEK_MINUTES:
        yield warning(
            check,
            f"offsets.retention.minutes={kept}: after {duration_text(kept * 60)} without a worker its position is forgotten, "
            "and trailing rejections may be repeated",
            f"set it to at least {WEEK_MINUTES}",
        )
    for name in ("offsets.topic.replication.factor", "transaction.state.log.replication.factor"):
        if brokers > 1 and value(name, 3) == 1:
            yield warning(
                check,
                f"{name}=1 with {brokers} brokers: the position or the transactions go with one broker",
                "set it to 3 and reassign the internal topic's replicas (kafka-reassign-partitions)",
            )


def clocks(deployment: Deployment) -> Iterator[Finding]:
    check = "clock"
    addresses = deployment.direct()
    if not addresses:
        yield skipped(
            check,
            "the cluster's time can be asked without a write only over a PLAINTEXT listener",
            "compare `date -u` on this host with the brokers', or rely on NTP on both",
        )
        return
    try:
        reading = clock(addresses[0], TIMEOUT_S)
    except Connection as error:
        yield skipped(check, str(error), "allow DESCRIBE on the cluster to have it asked")
        return
    yield clock_finding(reading)


def clock_finding(reading: ClockReading) -> Finding:
    ahead, heard_ms = reading.ahead_s, (reading.heard - reading.sent) * 1000
    how = f"asked of the active controller (DescribeQuorum), {heard_ms:.0f} ms there and back"
    if abs(ahead) <= SKEW_S:
        apart = "agrees with" if ahead == 0 else f"is within {abs(ahead) * 1000:.0f} ms of"
        return ok("clock", f"this host's clock {apart} the cluster's; {how}")
    direction = "behind" if ahead > 0 else "ahead of"
    return warning(
        "clock",
        f"this host's clock is {abs(ahead):.1f} s {direction} the cluster's; {how}",
        "set both by NTP: ages and --stale-for go by these clocks; so does the retention of a topic without "
        "message.timestamp.type=LogAppendTime (made by an earlier version), where brokers refuse records that are further in "
        f"the future than {TIMESTAMP_LIMIT} (default 1h)",
    )
