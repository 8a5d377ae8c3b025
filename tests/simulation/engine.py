"""The real engine as the simulation runs it, and the pure fold of a log with the same code, one event at a time."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from llm_orchestrator_state.engine.config import WorkerConfig
from llm_orchestrator_state.engine.task import PartitionTask
from llm_orchestrator_state.engine.worker import Worker
from llm_orchestrator_state.kafka.format import Format
from llm_orchestrator_state.kafka.topics import TopicSet
from llm_orchestrator_state.store.interface import Positions
from llm_orchestrator_state.store.memory import MemoryStore
from llm_orchestrator_state.wire.codec import Codec
from tests.simulation.background import SimBackground
from tests.simulation.conditions import Conditions
from tests.simulation.invariants import Folded
from tests.simulation.log import DELETE_RETENTION_S, Record
from tests.simulation.process import SimProcess
from tests.simulation.registry import ProcessCodec, Registered
from tests.simulation.transactions import TRANSACTION_S

CODEC = Codec()
REGISTRY_CODEC = Codec(Registered())
REGISTRY_CODEC.prepare()


class Engine:
    """The engine as the system under test, on one topic set."""

    def __init__(self, conditions: Conditions, prefix: str = "sim") -> None:
        self._conditions = conditions
        self._topics = TopicSet(prefix)
        made = Format.current(conditions.partitions, conditions.checkpoints)
        self._format = msgspec.structs.replace(made, inline_limit=conditions.inline_limit)
        self._codec = REGISTRY_CODEC if conditions.registry else CODEC

    def worker(self, process: SimProcess) -> Worker:
        conditions = self._conditions
        config = WorkerConfig(
            topics=self._topics,
            format=self._format,
            codec=ProcessCodec.of(self._codec, process) if conditions.registry else self._codec,
            transactional_id=process.transactional_id,
            commit_interval_s=conditions.commit_interval_s,
            cache_bytes=conditions.cache_bytes,
            uncommitted_bytes=conditions.uncommitted_bytes,
            tombstones_live_s=DELETE_RETENTION_S,
            transaction_timeout_s=TRANSACTION_S,
        )
        background = SimBackground(process.cluster.rng)
        return Worker(process.kafka, process.stores, process.clock, config, background)

    def fold(self, partition: int, records: Sequence[Record]) -> Folded:
        return pure_fold(self._topics.events, partition, self._format, self._codec, records)


def pure_fold(topic: str, partition: int, form: Format, codec: Codec, records: Sequence[Record]) -> Folded:
    """Every event in a commit of its own."""
    store = MemoryStore()
    task = PartitionTask(
        topic, partition, form.partitions, form.checkpoints, codec, store, 0, 0, inline_limit=form.inline_limit
    )
    folded = Folded({}, {}, {}, {})
    nowhere = Positions(None, 0, 0.0)
    for record in records:
        task.process([record])
        states, checkpoints, rejections, outputs, contexts = task.changes()
        offset = record.offset()
        for key, value, _ in states:
            folded.changes.setdefault(key or b"", []).append((offset, value))
        for table, changed in ((folded.checkpoints, checkpoints), (folded.outputs, outputs)):
            for key, value, _ in changed:
                if value is None:
                    table.pop(key or b"", None)
                else:
                    table[key or b""] = value
        for _, _, headers in rejections:
            folded.rejections[offset] = dict(headers)["code"]
        store.write(((key or b"", value) for key, value, _ in states), nowhere, contexts.items())
        task.commit()
    return folded
