"""The publisher for programs with threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Condition, Lock
from time import monotonic
from types import TracebackType
from typing import Any, Self
from uuid import UUID

from ...errors import StateError, TimedOut
from ...kafka.registry import Mode
from ...model.events import TransitionEvent
from ...model.references import ParentStep
from ...model.state import WorkflowState
from ..producer import CLOSING_TIMEOUT_S
from ..transport import Transport
from .beginning import Beginning, attempts_of, claimed, created
from .delivery import Delivery, Report
from .ids import as_run_id
from .outbox import TOPIC_PREFIX, Outbox
from .run import Reader, RunHandle, WorkflowRun
from .tracing import trace_headers

SLICE_S = 0.1
"""Longest single wait within librdkafka, where Ctrl-C is not heard."""

POLLED_EACH = 32
"""Events after which their deliveries are looked at in passing: a look costs as much as a fifth of an event."""


class Publisher:
    """Publishes transition events: ``publish()`` them as they are, or let the handles of ``workflow()`` make them.

    A context manager; leaving it waits for every delivery. Threads may share one; a fork needs its own. The first
    event, or entering it, connects.

    bootstrap_servers: host:port of Kafka, several separated by commas.
    schema_registry_mode: whether the schema of events is registered there, or must be there ("lookup").
    properties: of librdkafka, such as security.protocol.
    transport: in place of Kafka, for tests: see testing.InMemoryPipeline.publisher().

    Raises Configuration. What connects, raises besides: Connection, within 10 s, where no broker answers;
    TopicMismatch where there is no topic set of that prefix.
    """

    # Deliveries are told by librdkafka's poll(), and here whoever calls polls: publish() in passing, result() and
    # flush() while they wait. A thread of its own would need Python's lock anew for each delivery, and against a thread
    # that publishes as fast as it can it would get it every 5 ms.

    def __init__(
        self,
        bootstrap_servers: str | None = None,
        *,
        topic_prefix: str = TOPIC_PREFIX,
        schema_registry_url: str | None = None,
        schema_registry_mode: Mode = "register",
        schema_registry_properties: Mapping[str, str] | None = None,
        properties: Mapping[str, str] | None = None,
        transport: Transport | None = None,
    ) -> None:
        self._outbox = Outbox(
            bootstrap_servers,
            topic_prefix,
            schema_registry_url,
            schema_registry_mode,
            schema_registry_properties,
            properties,
            transport,
        )
        self._opening = Lock()
        self._turn = Condition()
        self._polling = False
        self._sent = 0

    def publish(self, event: TransitionEvent) -> Delivery:
        """Queue one event; waits only while the queue is full.

        Raises:
            InvalidState: the event holds a value that the model or JSON does not allow, or is too large.
            Connection: 10,000 events have failed that nobody asked for.
            Closed: this publisher is closed, or belongs to another process.
        """
        key, value = self._outbox.encode(event)
        headers = trace_headers()
        delivery = Delivery(self, event.event_id, event.run_id)
        while not (self._outbox.transport or self._open()).send(key, value, headers, delivery):
            self._take_turn(lambda: False, SLICE_S)
        self._sent += 1
        if not self._sent % POLLED_EACH:
            self._take_turn(lambda: False, 0)
        return delivery

    def flush(self, timeout_s: float | None = None) -> None:
        """Wait until every event is delivered.

        Raises what events failed with that nobody was told yet: Connection or InvalidState. TimedOut when there are
        events left after timeout_s; they are still being tried. Closed.
        """
        self._outbox.check_usable()
        self._drain(timeout_s)
        if left := self._outbox.pending():
            raise TimedOut(
                f"{left} events are not delivered after {timeout_s:g} s, and are still being tried; wait longer, or check the "
                "brokers"
            )
        self._outbox.raise_failures()

    def close(self) -> None:
        """Flush, and end. Raises as flush() does. Once is enough, and more does nothing."""
        try:
            if self._outbox.is_open:
                self.flush()
        finally:
            self._outbox.close()

    def __enter__(self) -> Self:
        self._open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if error is None:
            self.close()
            return
        try:
            self._drain(CLOSING_TIMEOUT_S)
        finally:
            self._outbox.close()
        try:
            self._outbox.raise_failures()
        except StateError as failure:
            error.add_note(f"besides: {failure}")

    # --- handles ------------------------------------------------------------------------------------------------------

    def workflow(
        self,
        workflow_id: str,
        *,
        name: str | None = None,
        user_id: str | None = None,
        context: Any = None,
        labels: Mapping[str, str] | None = None,
        run_id: UUID | str | None = None,
        parent: ParentStep | None = None,
    ) -> WorkflowRun:
        """A new run, created and started when its ``with`` block is entered, and completed or failed when it is left.

        name: of the definition, for people; the workflow_id, if not given.
        context: a JSON value. run_id: random, if not given; see run_id_for(). parent: see RunHandle.child().
        """
        return WorkflowRun(
            self, created(workflow_id, name=name, user_id=user_id, context=context, labels=labels, run_id=run_id, parent=parent)
        )  # fmt: skip

    def attach(self, run_id: UUID | str, state: WorkflowState | None = None) -> RunHandle:
        """A handle for reporting about a run that somebody else began, and will end.

        state: the run's; without it the steps send no attempt, and are recognised by their ids alone.
        """
        return RunHandle(self, Beginning(as_run_id(run_id), attempts=None if state is None else attempts_of(state)))

    def claim(self, state: WorkflowState, *, reader: Reader | None = None, timeout_s: float = 30.0) -> WorkflowRun:
        """Take over a run that is not completed: it is resumed, or started, when the ``with`` block is entered.

        Of two that claim the same version one is rejected: entering raises EventRejected there, and nothing else is
        published. The others' later events are fenced off.

        reader: tells whether the claim was applied, such as a StateReader. Without one, ``run.confirm(reader)`` must
        come first in the block. timeout_s: longest wait for it.

        Raises InvalidState for a run that is completed.
        """
        return WorkflowRun(self, claimed(state), reader, timeout_s)

    # --- waiting ------------------------------------------------------------------------------------------------------

    def wait(self, done: Callable[[], bool], timeout_s: float | None) -> None:
        """For deliveries: return when it is done, or the time is over."""
        give_up_at = None if timeout_s is None else monotonic() + timeout_s
        while not done():
            left = SLICE_S if give_up_at is None else min(SLICE_S, give_up_at - monotonic())
            self._take_turn(done, max(0.0, left))
            if left <= 0:
                return

    def _drain(self, timeout_s: float | None) -> None:
        self.wait(lambda: not self._outbox.pending(), timeout_s)

    def _take_turn(self, done: Callable[[], bool], timeout_s: float) -> None:
        """Poll once; while another thread does, wait for what that brings, which may be ours."""
        with self._turn:
            if done():  # by a poll that ended just now
                return
            if self._polling:
                self._turn.wait(timeout_s)
                return
            self._polling = True
        try:
            self._outbox.poll(timeout_s)
        finally:
            with self._turn:
                self._polling = False
                self._turn.notify_all()

    def _open(self) -> Transport:
        with self._opening:
            return self._outbox.open()

    def on_failure(self, delivery: Report[Any], error: StateError) -> None:
        self._outbox.failed(delivery, error)

    def told(self, delivery: Report[Any]) -> None:
        self._outbox.told(delivery)

    def publish_of(self, run_id: UUID, event: TransitionEvent) -> Delivery:
        """For handles: nothing follows in a run's log on what is missing there."""
        self._outbox.raise_failure_of(run_id)
        return self.publish(event)
