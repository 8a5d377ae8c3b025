"""Events in, and what the processor makes of them, in memory."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from uuid import UUID

import msgspec

from ..client.producer import Delivered
from ..client.transport import Headers as EventHeaders
from ..client.transport import OnDelivery
from ..engine.outputs import Record
from ..engine.task import PartitionTask
from ..errors import EventRejected, InvalidState
from ..kafka.interface import Headers
from ..kafka.partitioner import partition_of
from ..kafka.properties import MAX_EVENT_BYTES
from ..model.checkpoint import Checkpoint
from ..model.events import TransitionEvent
from ..model.limits import KEPT_CHECKPOINTS
from ..model.state import WorkflowState
from ..model.verdicts import Code
from ..store.interface import Positions
from ..store.memory import MemoryStore
from ..wire.codec import Codec
from ..wire.jsonlines import parse_line

if TYPE_CHECKING:
    from ..client.publishing import AsyncDelivery, AsyncPublisher, Delivery, Publisher


class RejectedEvent(NamedTuple):
    """An event that changed nothing, with the bytes as they were published."""

    code: Code
    detail: str
    event_id: str | None
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


class _Message(NamedTuple):
    """One record of the log, with confluent-kafka's accessors."""

    the_key: bytes
    the_value: bytes | None
    the_partition: int
    the_offset: int

    def error(self) -> None:
        return None

    def topic(self) -> str:
        return "events"

    def partition(self) -> int:
        return self.the_partition

    def offset(self) -> int:
        return self.the_offset

    def key(self) -> bytes:
        return self.the_key

    def value(self) -> bytes | None:
        return self.the_value

    def headers(self) -> Headers | None:
        return None


class InMemoryPipeline:
    """Events in; states, checkpoints and rejections out. What publish() was given is settled when it returns.

    Threads may share one.

    partitions: of the topic set. checkpoints: its policy.
    """

    def __init__(self, partitions: int = 1, checkpoints: Literal["step", "requested", "off"] = "step") -> None:
        self.rejections: list[RejectedEvent] = []
        """Oldest first."""
        self._lock = Lock()
        """Held while an event is judged, and while bytes are looked for; not while they are decoded."""
        self._codec = Codec()
        self._checkpoints: dict[bytes, bytes] = {}
        self._tasks = [
            PartitionTask("events", p, partitions, checkpoints, self._codec, MemoryStore(), 0, 1 << 30)
            for p in range(partitions)
        ]

    def publish(self, event: TransitionEvent | Mapping[str, Any]) -> None:
        """Judge one event. Raises errors.Serialization for a mapping that is no line of the JSON lines form."""
        record = event.to_record() if isinstance(event, TransitionEvent) else parse_line(msgspec.json.encode(event))
        self.publish_bytes(record["run_id"].lower().encode(), self._codec.encode_event(record))

    def publish_bytes(self, key: bytes, value: bytes | None) -> tuple[int, int]:
        """Judge one record of the events topic, whatever it holds; its partition and offset."""
        task = self._tasks[partition_of(key, len(self._tasks))]
        with self._lock:
            return task.partition, self._judge(task, key, value)

    def _judge(self, task: PartitionTask, key: bytes, value: bytes | None) -> int:
        offset = task.position
        task.process([_Message(key, value, task.partition, offset)])
        changes = task.changes()
        task.store.write(((r.key or b"", r.value) for r in changes.states), Positions(task.position, 0, 0.0))
        for record in changes.checkpoints:
            if record.value is None:
                self._checkpoints.pop(record.key or b"", None)
            else:
                self._checkpoints[record.key or b""] = record.value
        self.rejections.extend(_rejected(record, task.partition) for record in changes.rejections)
        task.commit()
        return offset

    def publisher(self) -> Publisher:
        """One whose events are judged when publish() returns."""
        from ..client.publishing import Publisher

        return Publisher(transport=_InMemoryTransport(self))

    def async_publisher(self) -> AsyncPublisher:
        """The same for asyncio."""
        from ..client.publishing import AsyncPublisher

        return AsyncPublisher(transport=_InMemoryTransport(self))

    def applied(self, delivery: Delivery | AsyncDelivery | Delivered, _timeout_s: float = 0) -> WorkflowState | None:
        """As of a StateReader: the run's state after the event; None where that deleted it. Raises EventRejected."""
        for rejected in self.rejections:
            if rejected.event_id == delivery.event_id:
                raise EventRejected(rejected.code, rejected.detail, delivery.event_id)
        return self.state(delivery.run_id)

    @property
    def async_reader(self) -> AsyncInMemoryReader:
        """applied() for asyncio, such as claim() of an AsyncPublisher waits for."""
        return AsyncInMemoryReader(self)

    def state(self, run_id: UUID | str) -> WorkflowState | None:
        """The run's state; None where there is none."""
        key = str(run_id).lower().encode()
        task = self._tasks[partition_of(key, len(self._tasks))]
        with self._lock:
            (value,) = task.store.get_many([key])
        return None if value is None else WorkflowState.from_record(self._codec.decode_state(value))

    def states(self) -> list[WorkflowState]:
        """All runs, ordered by id."""
        with self._lock:
            values = sorted(item for task in self._tasks for item in task.store.items())
        return [WorkflowState.from_record(self._codec.decode_state(value)) for _, value in values]

    def checkpoints(self, run_id: UUID | str) -> list[Checkpoint]:
        """The run's kept checkpoints, oldest first."""
        key = str(run_id).lower().encode()
        with self._lock:
            values = [self._checkpoints.get(b"%b/%d" % (key, slot)) for slot in range(KEPT_CHECKPOINTS)]
        records = [self._codec.decode_checkpoint(value) for value in values if value is not None]
        return sorted(map(Checkpoint.from_record, records), key=lambda checkpoint: checkpoint.version)

    def checkpoint(self, checkpoint_id: UUID | str) -> Checkpoint | None:
        """The checkpoint of that id; None where it is not kept."""
        wanted = str(checkpoint_id).lower()
        with self._lock:
            values = list(self._checkpoints.values())
        records = map(self._codec.decode_checkpoint, values)
        return next((Checkpoint.from_record(record) for record in records if record["id"] == wanted), None)

    def rejected_at(self, partition: int, offset: int) -> RejectedEvent | None:
        """Why the event at that place of the log changed nothing; None where it was applied, or a duplicate."""
        with self._lock:
            for rejected in reversed(self.rejections):
                if rejected.partition == partition and rejected.offset <= offset:
                    return rejected if rejected.offset == offset else None
        return None


class AsyncInMemoryReader:
    """Tells of a pipeline's events, for asyncio."""

    def __init__(self, pipeline: InMemoryPipeline) -> None:
        self._pipeline = pipeline

    async def applied(
        self, delivery: Delivery | AsyncDelivery | Delivered, timeout_s: float = 0
    ) -> WorkflowState | None:
        """As InMemoryPipeline.applied()."""
        return self._pipeline.applied(delivery, timeout_s)


class _InMemoryTransport:
    """Delivers into a pipeline, at once."""

    topic = "events"

    def __init__(self, pipeline: InMemoryPipeline) -> None:
        self._pipeline = pipeline

    def send(self, key: bytes, value: bytes, _headers: EventHeaders | None, on_delivery: OnDelivery) -> bool:
        if len(value) > MAX_EVENT_BYTES:
            raise InvalidState(f"the event is {len(value)} bytes; expected at most {MAX_EVENT_BYTES}")
        on_delivery(None, _Message(key, value, *self._pipeline.publish_bytes(key, value)))
        return True

    def poll(self, _timeout_s: float) -> int:
        return 0

    def pending(self) -> int:
        return 0

    def close(self) -> None:
        pass


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
