"""Handles of runs and steps."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Protocol, Self
from uuid import UUID

from ...model.checkpoint import Checkpoint
from ...model.events import TransitionEvent
from ...model.references import ParentStep
from .beginning import Beginning, created
from .delivery import Delivery
from .outcome import besides
from .retries import Retriable, Tries, Wait
from .run_events import RunEvents, step_id_of
from .step import Attempts, Step


class Reader(Protocol):
    """What tells whether an event was applied: a StateReader."""

    def applied(self, delivery: Delivery, timeout_s: float, /) -> object:
        """Returns when it was. Raises EventRejected; TimedOut when that is not known in time."""


class Events(Protocol):
    """Where handles publish."""

    def publish_of(self, run_id: UUID, event: TransitionEvent) -> Delivery: ...


class RunHandle:
    """Reports about one run. Threads may share it, each with steps of its own.

    Every method that publishes returns the event's delivery. Each raises InvalidState for values that cannot be
    published and for what cannot be done in this phase of the run, Closed after the publisher's end, and what an
    earlier event of the run failed with, if nobody was told.
    """

    __slots__ = ("_publisher", "events", "last_delivery")

    def __init__(self, publisher: Events, beginning: Beginning) -> None:
        self.events = RunEvents(beginning)
        self.last_delivery: Delivery | None = None
        """Of the latest event: when it is applied, so are all before it."""
        self._publisher = publisher

    @property
    def run_id(self) -> UUID:
        """The run: the Kafka key everywhere."""
        return self.events.run_id

    def step(self, name: str, *, key: str | int | None = None, inputs: Any = None) -> Step:
        """A step, for a ``with`` block. Entering one that is open in this handle raises StepAlreadyOpen.

        key: what tells this unit of work from others of the name, in fan-outs and loops: the step is ``name[key]``.
        inputs: a JSON value, kept in the log and not in the state.
        """
        return Step(self, step_id_of(name, key), inputs)

    def attempts(
        self,
        name: str,
        *,
        key: str | int | None = None,
        inputs: Any = None,
        max_attempts: int = 3,
        retry_on: Retriable = Exception,
        wait_s: Wait = 0.0,
    ) -> Attempts:
        """A step that is tried again: ``for attempt in run.attempts("classify"): with attempt as step: ...``.

        max_attempts: in this loop. What the last of them raises leaves the loop, and so do an EventRejected and
            what is not retry_on.
        wait_s: between two of them, or a function from the number of the failed one to that.
        """
        step_id = step_id_of(name, key)
        return Attempts(self, step_id, inputs, Tries(step_id, max_attempts, retry_on, wait_s))

    def child(
        self,
        workflow_id: str,
        *,
        step: Step | str,
        name: str | None = None,
        user_id: str | None = None,
        context: Any = None,
        labels: Mapping[str, str] | None = None,
        run_id: UUID | str | None = None,
    ) -> WorkflowRun:
        """A sub-workflow: a run of its own, whose parent is this run's step. The rest is as in Publisher.workflow().

        run_id: if not given, it says which of this step's sub-workflows of that definition it is, the first, the second, so
            that the program makes the same ones when it is run again. Branches that make theirs at once need steps of
            their own (key=), or run ids. Random in a handle of attach() or claim().
        """
        parent = ParentStep(self.run_id, step if isinstance(step, str) else step.step_id)
        if run_id is None:
            run_id = self.events.child_id(parent.step_id, workflow_id)
        return WorkflowRun(
            self._publisher, created(workflow_id, name=name, user_id=user_id, context=context, labels=labels, run_id=run_id, parent=parent)
        )  # fmt: skip

    def pause(self, reason: str | None = None) -> Delivery:
        """The run waits, for a person or anything else. Leaving the block does not complete it then."""
        return self.tell(self.events.paused(reason))

    def resume(self) -> Delivery:
        """A paused run goes on."""
        return self.tell(self.events.resumed())

    def skip(self, name: str, *, key: str | int | None = None, reason: str | None = None) -> Delivery:
        """A step will not be done."""
        return self.tell(self.events.skipped(step_id_of(name, key), reason))

    def heartbeat(self, name: str, *, key: str | int | None = None) -> Delivery:
        """A running step still runs; ``step.heartbeat()`` where the step is at hand."""
        return self.tell(self.events.heartbeat(step_id_of(name, key)))

    def checkpoint(self, name: str, *, key: str | int | None = None, checkpoint_id: UUID | None = None) -> Delivery:
        """A checkpoint of the run as it is, named after a step."""
        return self.tell(self.events.checkpoint(step_id_of(name, key), checkpoint_id))

    def update_context(self, patch: Any) -> Delivery:
        """Change the context by a merge patch (RFC 7396): None removes a key."""
        return self.tell(self.events.context_updated(patch))

    def restore(self, checkpoint: Checkpoint) -> Delivery:
        """The run goes back to a checkpoint; steps that came later go."""
        return self.tell(self.events.restored(checkpoint))

    def complete(self) -> Delivery:
        """The run is done."""
        return self.tell(self.events.completed())

    def fail(self, error: str | BaseException, error_type: str | None = None) -> Delivery:
        """The run is over without success. error_type: ``cancelled``, ``timed_out`` or an exception's class."""
        return self.tell(self.events.failed(error, error_type))

    def confirm(self, reader: Reader, timeout_s: float = 30.0) -> None:
        """Wait until the latest event was applied, and with it all before: then the reader has them too.

        Raises:
            EventRejected: it was not. With the code ``fenced``, or where it was a claim, the run is another
                orchestrator's, and this handle says nothing more.
            TimedOut: that is not known in time; events may still be applied.
        """
        with self.events.confirmation():
            if self.last_delivery is not None:
                reader.applied(self.last_delivery, timeout_s)

    def tell(self, event: TransitionEvent) -> Delivery:
        """Publish an event of this run."""
        self.last_delivery = delivery = self._publisher.publish_of(self.run_id, event)
        return delivery


class WorkflowRun(RunHandle):
    """A run whose ``with`` block is its life: begun when entered, completed when left unless it is paused, and failed
    by an exception that leaves it, which is raised again.
    """

    __slots__ = ("_reader", "_timeout_s")

    def __init__(
        self, publisher: Events, beginning: Beginning, reader: Reader | None = None, timeout_s: float = 30.0
    ) -> None:
        super().__init__(publisher, beginning)
        self._reader = reader
        self._timeout_s = timeout_s

    def __enter__(self) -> Self:
        for event in self.events.begun():
            self.tell(event)
        self.events.entered()
        if self._reader is not None:
            self.confirm(self._reader, self._timeout_s)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        event = self.events.left(error)
        if event is None:
            return
        if error is None:
            self.tell(event)
            return
        with besides(error):
            self.tell(event)
