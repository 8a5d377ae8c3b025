"""An event log in memory, judged as it is written."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from typing import Literal, NamedTuple

from ..client.reading.checkpoints import CheckpointFeed, id_reader
from ..client.reading.feeds import Place, StateFeed, TableFeed
from ..client.reading.followed import Followed
from ..client.reading.life import Life
from ..client.reading.moves import Moves
from ..client.reading.run import RunReader
from ..engine.outputs import Record
from ..engine.task import PartitionTask
from ..kafka.interface import Headers
from ..kafka.partitioner import partition_of
from ..model.limits import INLINE_LIMIT
from ..model.verdicts import Code
from ..store.interface import Positions
from ..store.memory import MemoryStore
from ..wire.codec import Codec

Policy = Literal["step", "requested", "off"]


class RejectedEvent(NamedTuple):
    """An event that changed nothing, with the bytes as they were published."""

    code: Code
    detail: str
    event_id: str | None
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


class Message(NamedTuple):
    """One record of a topic, with confluent-kafka's accessors."""

    the_key: bytes | None
    the_value: bytes | None
    the_partition: int
    the_offset: int
    the_headers: Headers | None = None

    def error(self) -> None:
        return None

    def topic(self) -> str:
        return "events"

    def partition(self) -> int:
        return self.the_partition

    def offset(self) -> int:
        return self.the_offset

    def key(self) -> bytes | None:
        return self.the_key

    def value(self) -> bytes | None:
        return self.the_value

    def headers(self) -> Headers | None:
        return self.the_headers


class Log:
    """What is written is in the tables when write() returns. Threads may share one.

    tables, outputs: as a reader of the topics has them; their lock is that of ``life``. moves: told of their changes.
    rejections: oldest first.
    """

    def __init__(self, partitions: int, checkpoints: Policy, codec: Codec) -> None:
        self.life = Life()
        self.moves = Moves(self.life)
        self.tables = Followed(partitions)
        self.outputs: dict[int, TableFeed] = {}
        self.rejections: list[RejectedEvent] = []
        self._lock = Lock()
        """Held while an event is judged; the lock of the tables is taken within it."""
        self._tasks: list[PartitionTask] = []
        runs, checkpoint_id, begin = RunReader(None), id_reader(None), Positions(None, 0, 0.0)
        for p in range(partitions):
            # one store: what is folded from is what the state topic has
            states, kept = MemoryStore(), MemoryStore()
            self._tasks.append(
                PartitionTask(
                    "events", p, partitions, checkpoints, codec, states, 0, 1 << 30, inline_limit=INLINE_LIMIT
                )
            )
            self.outputs[p] = TableFeed(Place("outputs", p), MemoryStore(), begin, self.life)
            self.tables.states[p] = StateFeed(Place("state", p), states, begin, self.life, self.tables.index, runs)
            self.tables.checkpoints[p] = CheckpointFeed(Place("checkpoints", p), kept, begin, self.life, checkpoint_id)

    def write(self, key: bytes, value: bytes | None) -> tuple[int, int]:
        """Judge one record, whatever it holds; its partition and offset."""
        task = self._tasks[partition_of(key, len(self._tasks))]
        with self._lock:
            return task.partition, self._judge(task, key, value)

    def _judge(self, task: PartitionTask, key: bytes, value: bytes | None) -> int:
        offset = task.position
        task.process([Message(key, value, task.partition, offset)])
        changes = task.changes()
        self.rejections.extend(_rejected(record, task.partition) for record in changes.rejections)
        _take(self.outputs[task.partition], changes.outputs)
        _take(self.tables.checkpoints[task.partition], changes.checkpoints)
        _take(self.tables.states[task.partition], changes.states)
        if changes.contexts:
            task.store.write((), task.store.positions() or Positions(None, 0, 0.0), changes.contexts.items())
        task.commit()
        with self.life.lock:
            self.moves.moved()
        return offset

    def has(self, partition: int, offset: int) -> bool:
        """Whether an event was written there."""
        with self._lock:
            return 0 <= partition < len(self._tasks) and 0 <= offset < self._tasks[partition].position

    def rejected_at(self, partition: int, offset: int) -> RejectedEvent | None:
        """Why the event at that place changed nothing; None where it was applied, or a duplicate."""
        with self._lock:
            for rejected in reversed(self.rejections):
                if rejected.partition == partition and rejected.offset <= offset:
                    return rejected if rejected.offset == offset else None
        return None


def _take(feed: TableFeed, records: Sequence[Record]) -> None:
    partition, begin = feed.place.partition, feed.position
    messages = [Message(r.key, r.value, partition, offset, r.headers) for offset, r in enumerate(records, begin)]
    feed.take(messages, begin + len(messages))


def _rejected(record: Record, partition: int) -> RejectedEvent:
    headers = dict(record.headers)
    event_id = headers.get("event-id")
    return RejectedEvent(
        Code(headers["code"].decode()),
        headers["detail"].decode(),
        event_id.decode() if event_id else None,
        partition,
        int(headers["source-offset"]),
        record.key,
        record.value,
    )
