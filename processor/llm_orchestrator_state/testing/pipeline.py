"""Events in, and what the processor makes of them, in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from ..client.publishing import AsyncPublisher, Publisher
from ..client.reading import AsyncStateReader, StateReader
from ..client.reading.filter import RunFilter
from ..client.reading.waiting import answer
from ..client.transport import Headers, OnDelivery
from ..errors import InvalidState
from ..kafka.properties import MAX_EVENT_BYTES
from ..model.checkpoint import Checkpoint
from ..model.events import TransitionEvent
from ..model.state import WorkflowState
from ..wire.codec import Codec
from ..wire.jsonlines import parse_line
from .log import Log, Message, Policy, RejectedEvent
from .readers import AsyncInMemoryStateReader, InMemoryStateReader, LogCore


class InMemoryPipeline:
    """Events in; states, checkpoints and rejections out. What publish() was given is settled when it returns.

    Threads may share one.

    partitions: of the topic set. checkpoints: its policy.
    """

    def __init__(self, partitions: int = 1, checkpoints: Policy = "step") -> None:
        self._codec = Codec()
        self._log = Log(partitions, checkpoints, self._codec)
        self._answers = self.core().answers

    @property
    def rejections(self) -> list[RejectedEvent]:
        """Oldest first."""
        return self._log.rejections

    def publish(self, event: TransitionEvent | Mapping[str, Any]) -> None:
        """Judge one event. Raises errors.Serialization for a mapping that is no line of the JSON lines form."""
        record = event.to_record() if isinstance(event, TransitionEvent) else parse_line(msgspec.json.encode(event))
        self.publish_bytes(record["run_id"].lower().encode(), self._codec.encode_event(record))

    def publish_bytes(self, key: bytes, value: bytes | None) -> tuple[int, int]:
        """Judge one record of the events topic, whatever it holds; its partition and offset."""
        return self._log.write(key, value)

    # --- for programs that are given them -----------------------------------------------------------------------------

    def publisher(self) -> Publisher:
        """One whose events are judged when publish() returns."""
        return Publisher(transport=_InMemoryTransport(self._log))

    def async_publisher(self) -> AsyncPublisher:
        """The same for asyncio."""
        return AsyncPublisher(transport=_InMemoryTransport(self._log))

    def reader(self) -> StateReader:
        """One of this pipeline's runs and checkpoints: what was published is there when publish() returns."""
        return InMemoryStateReader(self._log)

    def async_reader(self) -> AsyncStateReader:
        """The same for asyncio."""
        return AsyncInMemoryStateReader(self._log)

    def core(self) -> LogCore:
        """What a reader of this pipeline is made of."""
        return LogCore(self._log)

    # --- what came of it ----------------------------------------------------------------------------------------------

    def state(self, run_id: UUID | str) -> WorkflowState | None:
        """The run's state; None where there is none."""
        return answer(self._answers.state(run_id))

    def states(self) -> list[WorkflowState]:
        """All runs, ordered by id."""
        return sorted(self._answers.runs(RunFilter(), None, None), key=lambda state: state.id)

    def checkpoints(self, run_id: UUID | str) -> list[Checkpoint]:
        """The run's kept checkpoints, oldest first."""
        return answer(self._answers.checkpoints(run_id))


class _InMemoryTransport:
    """Delivers into a log, at once."""

    topic = "events"

    def __init__(self, to: Log) -> None:
        self._log = to

    def send(self, key: bytes, value: bytes, _headers: Headers | None, on_delivery: OnDelivery) -> bool:
        if len(value) > MAX_EVENT_BYTES:
            raise InvalidState(f"the event is {len(value)} bytes; expected at most {MAX_EVENT_BYTES}")
        on_delivery(None, Message(key, value, *self._log.write(key, value)))
        return True

    def poll(self, _timeout_s: float) -> int:
        return 0

    def pending(self) -> int:
        return 0

    def close(self) -> None:
        pass
