"""The one truth: the pure fold of the event log. What a worker has written is compared with it, byte for byte."""

from __future__ import annotations

from typing import NamedTuple

from llm_orchestrator_state.engine.clock import SystemClock
from llm_orchestrator_state.engine.task import PartitionTask
from llm_orchestrator_state.engine.verify import PartitionReport, verify
from llm_orchestrator_state.kafka.interface import Kafka
from llm_orchestrator_state.store.interface import Positions
from llm_orchestrator_state.store.memory import MemoryStore
from llm_orchestrator_state.store.rocks import RocksStores
from tests.integration.harness import Stage, headers_of

PART = 500


class Folded(NamedTuple):
    """What one partition's log must have led to. rejections: source offset and code."""

    states: dict[bytes, bytes]
    checkpoints: dict[bytes, bytes]
    rejections: list[tuple[int, str]]
    outputs: dict[bytes, bytes]
    applied: int
    duplicate: int


def fold_log(stage: Stage, partition: int) -> Folded:
    """Without worker, transactions, or store: the events of the log, one after the other."""
    store = MemoryStore()
    checkpoints: dict[bytes, bytes | None] = {}
    outputs: dict[bytes, bytes | None] = {}
    rejections: list[tuple[int, str]] = []
    made = stage.format
    task = PartitionTask(
        stage.topics.events,
        partition,
        made.partitions,
        made.checkpoints,
        stage.codec,
        store,
        0,
        1 << 30,
        inline_limit=made.inline_limit,
    )
    log = stage.records("events", partition)
    for begin in range(0, len(log), PART):
        task.process(log[begin : begin + PART])
        changes = task.changes()
        store.write(
            ((r.key or b"", r.value) for r in changes.states), Positions(task.position, 0, 0), changes.contexts.items()
        )
        checkpoints.update({r.key or b"": r.value for r in changes.checkpoints})
        outputs.update({r.key or b"": r.value for r in changes.outputs})
        for record in changes.rejections:
            headers = dict(record.headers)
            rejections.append((int(headers["source-offset"]), headers["code"].decode()))
        task.commit()
    kept, there = (
        {key: value for key, value in table.items() if value is not None} for table in (checkpoints, outputs)
    )
    return Folded(dict(store.items()), kept, rejections, there, task.counts.applied, task.counts.duplicate)


def emitted_rejections(stage: Stage, partition: int) -> list[tuple[int, str]]:
    found = [headers_of(message) for message in stage.records("rejections", partition)]
    return [(int(headers["source-offset"]), headers["code"].decode()) for headers in found]


def local_states(stores: RocksStores, partition: int) -> dict[bytes, bytes]:
    store = stores.open_read_only(partition)
    assert store is not None
    try:
        return dict(store.items())
    finally:
        store.close()


def assert_agreement(stage: Stage, stores: RocksStores | None = None) -> list[Folded]:
    """log fold = state topic = local store; every rejection once; no state goes back. All events must be committed."""
    folds = []
    assert stage.committed() == stage.ends("events")
    for partition in stage.partitions:
        fold = fold_log(stage, partition)
        assert stage.table("state", partition) == fold.states
        assert stage.table("checkpoints", partition) == fold.checkpoints
        assert stage.table("outputs", partition) == fold.outputs
        assert emitted_rejections(stage, partition) == fold.rejections
        _assert_states_only_advance(stage, partition)
        if stores is not None:
            assert local_states(stores, partition) == fold.states
        folds.append(fold)
    return folds


def _assert_states_only_advance(stage: Stage, partition: int) -> None:
    """An event that is applied twice may end in the right state all the same, but not without a second record."""
    last: dict[bytes, int] = {}
    for message in stage.records("state", partition):
        key, source = message.key() or b"", int(headers_of(message)["source-offset"])
        assert source > last.get(key, -1), f"{key!r} was emitted again for the event at {source}"
        last[key] = source


# --- verify -----------------------------------------------------------------------------------------------------------


def reports(stage: Stage, state: str | None = "state", kafka: Kafka | None = None) -> list[PartitionReport]:
    """What `verify` finds; state: None without a local store."""
    return [_report(stage, partition, state, kafka or stage.log) for partition in stage.partitions]


def _report(stage: Stage, partition: int, state: str | None, kafka: Kafka) -> PartitionReport:
    local = stage.stores(state).open_read_only(partition) if state else None
    try:
        return verify(kafka, SystemClock(), stage.config(), partition, MemoryStore(), local)
    finally:
        if local:
            local.close()


def differences(found: list[PartitionReport]) -> list[tuple[str, str, str]]:
    return [(each.run, each.where, each.what) for report in found for each in report.differences]
