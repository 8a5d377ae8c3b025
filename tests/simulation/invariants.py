"""What must hold when a schedule is over, whatever happened in it."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from llm_orchestrator_state.model.limits import KEPT_CHECKPOINTS
from tests.simulation.cluster import SimCluster
from tests.simulation.log import PartitionLog, Record
from tests.simulation.outputs import contexts_of, what_is_wrong
from tests.simulation.store import Files


class Violation(AssertionError):
    """An invariant does not hold."""


class Folded(NamedTuple):
    """What one partition's log comes to, one event at a time."""

    changes: dict[bytes, list[tuple[int, bytes | None]]]
    """Run -> offset of each applied event and the state topic's value after it."""
    rejections: dict[int, bytes]
    """Offset -> code."""
    checkpoints: dict[bytes, bytes]
    """Checkpoint topic's key -> last value."""
    outputs: dict[bytes, bytes]
    """Outputs topic's key -> last value."""

    def states(self) -> dict[bytes, bytes]:
        last = {key: changes[-1][1] for key, changes in self.changes.items()}
        return {key: value for key, value in last.items() if value is not None}

    def state_at(self, key: bytes, offset: int) -> bytes | None:
        value = None
        for at, changed in self.changes.get(key, ()):
            if at > offset:
                break
            value = changed
        return value


def require(condition: bool, message: str) -> None:
    if not condition:
        raise Violation(message)


def check_topics(cluster: SimCluster, folded: list[Folded], *, repeated_rejections: bool) -> None:
    """`repeated_rejections`: the group's offsets were lost, so trailing rejections may stand there more than once."""
    for partition, fold in enumerate(folded):
        state, rejections = cluster.logs("state")[partition], cluster.logs("rejections")[partition]
        _same(f"state topic [{partition}]", state.last_values(), fold.states())
        _same(f"checkpoint topic [{partition}]", cluster.logs("checkpoints")[partition].last_values(), fold.checkpoints)
        _check_slots(fold)
        _same(f"outputs topic [{partition}]", cluster.logs("outputs")[partition].last_values(), fold.outputs)
        wrong = what_is_wrong(fold.outputs, fold.states(), fold.checkpoints)
        require(not wrong, f"outputs topic [{partition}]: {wrong}")
        _check_history(state, fold)
        _check_rejections(cluster.logs("events")[partition], rejections, fold, repeated=repeated_rejections)


def _same(what: str, found: dict[bytes, bytes], expected: dict[bytes, bytes]) -> None:
    if found == expected:
        return
    for key in sorted(found.keys() | expected.keys()):
        if found.get(key) != expected.get(key):
            raise Violation(f"{what}: {key!r} is\n  {found.get(key)!r}, the log's fold\n  {expected.get(key)!r}")


def check_store(partition: int, files: Files, fold: Folded) -> None:
    _same(f"local store [{partition}]", files.values, fold.states())
    needed = {name: fold.outputs[name] for name in contexts_of(fold.states())}
    _same(f"contexts in the local store [{partition}]", files.contexts, needed)


def source_offset(record: Record) -> int:
    return int(dict(record.headers() or ())["source-offset"])


def _check_slots(fold: Folded) -> None:
    """Of the fold itself, which a worker's own could be wrong with."""
    runs = fold.states().keys()
    for key in fold.checkpoints:
        run, _, slot = key.partition(b"/")
        require(run in runs, f"checkpoint {key!r} is one of a run that is not there")
        require(0 <= int(slot) < KEPT_CHECKPOINTS, f"checkpoint {key!r} is in no slot")


def _check_history(log: PartitionLog, fold: Folded) -> None:
    """Each state record is what its run was after the event that its source-offset names, and they only go forward."""
    seen: dict[bytes, int] = {}
    for record in log.committed():
        key, offset = record.key() or b"", source_offset(record)
        require(offset > seen.get(key, -1), f"state {key!r}: source-offset {offset} is not behind {seen.get(key)}")
        seen[key] = offset
        require(
            record.value() == fold.state_at(key, offset),
            f"state {key!r} at source-offset {offset} (state topic {record.offset()}) is not the log's fold up to it",
        )


def _check_rejections(events: PartitionLog, log: PartitionLog, fold: Folded, *, repeated: bool) -> None:
    seen: dict[int, bytes] = {}
    for record in log.committed():
        offset = source_offset(record)
        require(repeated or offset not in seen, f"event {events.partition}/{offset} was rejected twice")
        seen[offset] = dict(record.headers() or ())["code"]
        event = events.entries[offset]
        require(event is not None and _bears(record, event.value()), f"rejection of {offset}: other bytes")
    require(
        seen == fold.rejections, f"rejections of {events.partition} are {seen}, the log's fold has {fold.rejections}"
    )


def _bears(rejection: Record, value: bytes | None) -> bool:
    """The bytes, or what is too large for a rejection as its SHA-256."""
    if rejection.value() is not None or value is None:
        return rejection.value() == value
    return dict(rejection.headers() or ()).get("sha256") == hashlib.sha256(value).hexdigest().encode()
