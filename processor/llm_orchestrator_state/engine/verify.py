"""Whether the event log's fold, the state and outputs topics and the local store agree, run by run."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ..kafka.interface import Kafka, LogRange, Message
from ..store.interface import Store
from .clock import Clock
from .config import WorkerConfig
from .emitted import Emitted, digest_of, read_emitted, version_of
from .replay import is_creation, replay
from .verify_outputs import unresolved

MAX_SHOWN = 1_000
"""Differences of one partition that are named; all are counted."""


STATE_TOPIC = "state topic"
OUTPUTS_TOPIC = "outputs topic"


class Difference(msgspec.Struct, frozen=True):
    """One run that is not the same in two places. where: 'state topic', 'outputs topic' or 'local store'."""

    run: str
    where: str
    what: str


class PartitionReport(msgspec.Struct, kw_only=True):
    """What verify found in one partition.

    events: judged, up to the group's offset.
    not_judged: events of the log that the group has still to judge.
    not_verifiable: runs begun before the event log's start, or in the log from which this topic set was rebuilt.
    in_flight: runs that changed between the state topic's reading and that of the outputs topic or the store.
    store: whether there is a local store here, and how many of the group's events it is behind.
    """

    partition: int
    events: int = 0
    not_judged: int = 0
    applied: int = 0
    duplicate: int = 0
    rejected: int = 0
    runs: int = 0
    not_verifiable: int = 0
    in_flight: int = 0
    store: str = "none here"
    different: int = 0
    differences: list[Difference] = msgspec.field(default_factory=list)

    def differs(self, key: bytes, where: str, what: str) -> None:
        self.different += 1
        if len(self.differences) < MAX_SHOWN:
            self.differences.append(Difference(key.decode(errors="replace"), where, what))


def verify(
    kafka: Kafka, clock: Clock, config: WorkerConfig, partition: int, scratch: Store, local: Store | None,
    told: Callable[[int, int], None] = lambda _done, _all: None,
) -> PartitionReport:  # fmt: skip
    """Folds one partition's log into the empty scratch store and compares. Workers may go on meanwhile.

    Every event below the group's offset must be in the state topic; of a run that has got further, every event up to
    the one that its state record names. told: called with the events done so far, and all.
    Raises KafkaException, errors.Connection.
    """
    report = PartitionReport(partition=partition)
    events = kafka.log_ranges(config.topics.events, [partition])[partition]
    committed = kafka.group_offsets([partition])[partition].offset
    judged = events.start if committed is None else committed
    report.not_judged = max(0, events.stable - judged)
    whole = events.start == 0 and config.format.rebuilt_from is None
    goes_out = config.format.inline_limit is not None
    emitted = read_emitted(kafka, clock, config, partition, versions=not whole, named=goes_out)
    begun = _fold(kafka, clock, config, report, scratch, events, judged, emitted, told, whole=whole)
    _compare_with_topic(config, report, scratch, emitted, begun)
    _look_for_outputs(kafka, clock, config, report, emitted)
    report.runs = sum(run.digest is not None for run in emitted.values())
    if local is not None:
        _compare_with_store(report, local, emitted, judged)
    return report


def _fold(
    kafka: Kafka, clock: Clock, config: WorkerConfig, report: PartitionReport, scratch: Store, events: LogRange,
    judged: int, emitted: dict[bytes, Emitted], told: Callable[[int, int], None], *, whole: bool,
) -> set[bytes] | None:  # fmt: skip
    """Returns the runs of which the log begins with a creation; None where the log is whole, and so has them all."""
    first: dict[bytes, bool] = {}
    furthest = max((e.source_offset + 1 for e in emitted.values()), default=0)

    def wanted(message: Message) -> bool:
        if not whole and (key := message.key() or b"") not in first:
            first[key] = is_creation(config, message)
        if message.offset() < judged:
            return True
        run = emitted.get(message.key() or b"")
        return run is not None and message.offset() <= run.source_offset

    end = max(judged, furthest)
    for task, _ in replay(kafka, clock, config, report.partition, scratch, events.start, end, wanted):
        told(task.position - events.start, end - events.start)
        counts = task.counts
        report.applied, report.duplicate = counts.applied, counts.duplicate
        report.rejected = counts.all_rejected
    report.events = report.applied + report.duplicate + report.rejected
    return {key for key, created in first.items() if created} if not whole else None


def _compare_with_topic(
    config: WorkerConfig,
    report: PartitionReport,
    scratch: Store,
    emitted: dict[bytes, Emitted],
    begun: set[bytes] | None,
) -> None:
    unseen = dict(emitted)
    for key, value in scratch.items():
        run = unseen.pop(key, None)
        if run is not None and run.digest == digest_of(value):
            continue
        if begun is not None and (key not in begun or (run and run.version > version_of(config, value))):
            # its fold began in the middle; a creation that was published again may be the first that is left of a run
            report.not_verifiable += 1
        elif run is None or run.digest is None:
            report.differs(key, STATE_TOPIC, "missing there, and the log has it")
        else:
            report.differs(key, STATE_TOPIC, "other bytes than the log's fold")
    for key, run in unseen.items():
        if run.digest is None:
            continue
        if begun is not None and key not in begun:
            report.not_verifiable += 1
        else:
            report.differs(key, STATE_TOPIC, "there, and the log does not have it")


def _look_for_outputs(
    kafka: Kafka, clock: Clock, config: WorkerConfig, report: PartitionReport, emitted: dict[bytes, Emitted]
) -> None:
    for each in unresolved(kafka, clock, config, report.partition, emitted):
        if each.in_flight:
            report.in_flight += 1
        else:
            report.differs(each.run, OUTPUTS_TOPIC, each.what)


def _compare_with_store(report: PartitionReport, local: Store, emitted: dict[bytes, Emitted], judged: int) -> None:
    positions = local.positions()
    known = positions.input if positions and positions.input is not None else 0
    report.store = "level" if known >= judged else f"{judged - known} events behind"
    unseen = dict(emitted)
    for key, value in local.items():
        run = unseen.pop(key, None)
        if run is not None and run.digest == digest_of(value):
            continue
        if run is not None and run.source_offset >= known:
            report.in_flight += 1
        elif run is None or run.digest is None:
            if known >= judged:
                report.differs(key, "local store", "there, and the state topic does not have it")
            else:
                report.in_flight += 1
        else:
            report.differs(key, "local store", "other bytes than the state topic's")
    for key, run in unseen.items():
        if run.digest is None:
            continue
        if run.source_offset >= known:
            report.in_flight += 1
        else:
            report.differs(key, "local store", "missing there, and the state topic has it")
