"""One partition's log, store and output topics in memory, around a real PartitionTask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from llm_orchestrator_state.engine.outputs import Changes, Record
from llm_orchestrator_state.engine.task import PartitionTask
from llm_orchestrator_state.kafka.interface import Headers
from llm_orchestrator_state.model.records import CheckpointRecord, EventRecord, StateRecord
from llm_orchestrator_state.store.interface import Positions
from llm_orchestrator_state.store.memory import MemoryStore
from llm_orchestrator_state.wire.codec import Codec
from tests.unit.records import RUN

TOPIC = "llm.events"
KEY = RUN.encode()


class Message(NamedTuple):
    """A record of the log, with confluent-kafka's accessors."""

    the_offset: int
    the_key: bytes | None
    the_value: bytes | None

    def error(self) -> None:
        return None

    def topic(self) -> str:
        return TOPIC

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self.the_offset

    def key(self) -> bytes | None:
        return self.the_key

    def value(self) -> bytes | None:
        return self.the_value

    def headers(self) -> Headers | None:
        return None


class Partition:
    """publish() only appends; judge() is one fetch; commit() writes what a transaction and a store batch would."""

    def __init__(
        self, policy: str = "step", *, partitions: int = 1, partition: int = 0, cache_bytes: int = 1 << 30,
        codec: Codec | None = None, most_uncommitted: int = 1 << 40, inline_limit: int | None = None,
    ) -> None:  # fmt: skip
        self.codec = codec or Codec()
        self.store = MemoryStore()
        self.task = PartitionTask(
            TOPIC,
            partition,
            partitions,
            policy,
            self.codec,
            self.store,
            0,
            cache_bytes,
            lambda: self.task.uncommitted_bytes < most_uncommitted,
            inline_limit,
        )
        self.log: list[Message] = []
        self.states: list[Record] = []
        self.checkpoints: list[Record] = []
        self.rejections: list[Record] = []
        self.outputs: list[Record] = []

    def publish(self, *events: EventRecord) -> None:
        for one in events:
            self.append(one["run_id"].lower().encode(), self.codec.encode_event(one))

    def append(self, key: bytes | None, value: bytes | None) -> None:
        self.log.append(Message(len(self.log), key, value))

    def judge(self, most: int | None = None) -> None:
        begin = self.task.position
        self.task.process(self.log[begin:] if most is None else self.log[begin : begin + most])

    def commit(self) -> Changes:
        changes = self.task.changes()
        self.store.write(((record.key or b"", record.value) for record in changes.states),
                         Positions(self.task.position, 0, 0.0), changes.contexts.items())  # fmt: skip
        self.task.commit()
        self.states += changes.states
        self.checkpoints += changes.checkpoints
        self.rejections += changes.rejections
        self.outputs += changes.outputs
        return changes

    def settle(self, *events: EventRecord) -> Changes:
        """Publishes, judges and commits."""
        self.publish(*events)
        self.judge()
        return self.commit()

    def judge_and_commit_all(self) -> int:
        """As a worker does: commits whenever the task takes no more. Returns how many commits it took."""
        commits = 0
        while self.task.position < len(self.log):
            self.task.process(self.log[self.task.position :])
            self.commit()
            commits += 1
        return commits

    # --- what is there now

    def state(self, key: bytes = KEY) -> StateRecord | None:
        (value,) = self.store.get_many([key])
        return None if value is None else self.codec.decode_state(value)

    def compacted_checkpoints(self) -> dict[bytes, bytes]:
        return compacted(self.checkpoints)

    def compacted_outputs(self) -> dict[bytes, bytes]:
        return compacted(self.outputs)

    def snapshots(self) -> list[CheckpointRecord]:
        """The kept checkpoints, oldest first."""
        found = [self.codec.decode_checkpoint(value) for value in self.compacted_checkpoints().values()]
        return sorted(found, key=lambda checkpoint: checkpoint["version"])

    def codes(self) -> list[str]:
        return [header(record, "code") for record in self.rejections]


def compacted(records: Sequence[Record]) -> dict[bytes, bytes]:
    last = {record.key or b"": record.value for record in records}
    return {key: value for key, value in last.items() if value is not None}


def header(record: Record, name: str) -> str:
    values = [value.decode() for key, value in record.headers if key == name]
    assert len(values) == 1, f"{name}: {record.headers}"
    return values[0]
