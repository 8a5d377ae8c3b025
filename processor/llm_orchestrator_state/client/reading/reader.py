"""Reading runs, for programs that block."""

from __future__ import annotations

import threading
import weakref
from builtins import list as List  # noqa: N812 - the method is called as the crate's users expect
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, Unpack
from uuid import UUID

from ...errors import NotFound, TimedOut
from ...model.checkpoint import Checkpoint
from ...model.records import StateRecord
from ...model.state import WorkflowState
from ...model.status import WorkflowStatus
from ..producer import Delivered
from .asking import Lag
from .change import Change, RunChange, as_change
from .core import Core
from .filter import Filters, RunFilter, run_key
from .following import Progress
from .kafka_core import KafkaCore
from .opening import Opening
from .options import TOPIC_PREFIX, Options
from .page import Page
from .resume import ResumePoint
from .waiting import Deadline, LateError, answer, is_done

LAG_S = 2.0
"""How long lag() waits for the brokers."""

PROGRESS_S = 0.1


class OnItsWay(Protocol):
    """A publisher's Delivery."""

    def result(self, timeout_s: float | None = None) -> Delivered: ...


class StateReader:
    """The runs of a topic set, as its state topic has them, kept up to date by a thread.

    It connects at its first use, or in the with block. Every call waits until all has been read that was there at the
    start; ready() tells how far that is. What cannot be read any more is never shown as if it were current: what ends the
    following is raised by every call. Outages of the brokers are waited through; lag() tells how old the states are.

    bootstrap_servers: host:port of at least one Kafka broker.
    checkpoints: whether checkpoints() can be asked; they are ten times as many bytes as the states.
    directory: keep the states there, in RocksDB, and go on from there the next time; for one reader at a time. None: in
        memory.
    partitions: follow only these; what is asked of a run on another one raises Configuration.
    group: the workers' consumer group, which applied() asks; <topic_prefix>.processor.
    properties: of librdkafka, for every client.

    Raises:
        Connection: no broker answered within 10 s, or it refused the credentials.
        TopicMismatch: there is no such topic set, or it is gone.
        StoreLocked, ForeignStore: another reader has the directory; it is of another cluster or topic set.
        Configuration: arguments that cannot work.
        Closed: after close(), and in a forked process.
    """

    def __init__(
        self,
        bootstrap_servers: str,
        *,
        topic_prefix: str = TOPIC_PREFIX,
        checkpoints: bool = False,
        directory: Path | str | None = None,
        partitions: Collection[int] | None = None,
        group: str | None = None,
        schema_registry_url: str | None = None,
        schema_registry_properties: Mapping[str, str] | None = None,
        properties: Mapping[str, str] | None = None,
    ) -> None:
        options = Options(
            bootstrap_servers=bootstrap_servers,
            topic_prefix=topic_prefix,
            checkpoints=checkpoints,
            directory=directory,
            partitions=partitions,
            group=group,
            schema_registry_url=schema_registry_url,
            schema_registry_properties=schema_registry_properties,
            properties=properties,
        )
        self._opening: Opening[Core] = Opening(lambda: KafkaCore(options))
        # for a reader that nobody closes, at the latest when the program ends
        weakref.finalize(self, self._opening.close)

    # --- its life -----------------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._opening.core()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of everything. Once is enough, and more does nothing."""
        self._opening.close()

    def ready(self, timeout_s: float | None = None, on_progress: Callable[[Progress], None] | None = None) -> Progress:
        """Wait until all has been read that was there at the start. Raises TimedOut when that takes longer.

        on_progress: called every 0.1 s meanwhile, and once at the end.
        """
        core = self._opening.core()
        left = Deadline(timeout_s)
        future = core.when_ready()
        while on_progress and not is_done(future, left.at_most(PROGRESS_S)) and not left.is_over:
            on_progress(core.progress())
        _wait(future, left.seconds, lambda: not_ready(core, timeout_s))
        progress = core.progress()
        if on_progress:
            on_progress(progress)
        return progress

    def lag(self) -> Lag:
        """How far it is behind the topics now, as the brokers tell; how far at most, where none answers within 2 s."""
        core = self._opening.core()
        future = core.lag()
        if is_done(future, LAG_S):
            return future.result()
        future.cancel()
        return core.known_lag()

    # --- runs ---------------------------------------------------------------------------------------------------------

    def get(self, run_id: UUID | str) -> WorkflowState | None:
        """The run's state; None where there is no such run."""
        return answer(self._ready().answers.state(run_id))

    def record(self, run_id: UUID | str, *, values: bool = True) -> StateRecord | None:
        """As get(), as Avro data: JSON values as text, with the digits that their numbers were given.

        values: False for those that are carried inline only; of the others there is the reference.
        """
        return answer(self._ready().answers.record(run_id, values=values))

    def by_workflow_id(self, workflow_id: str, *, limit: int | None = None) -> Page:
        """The runs of a definition, the most recently updated first."""
        return self.list(workflow_id=workflow_id, limit=limit)

    def list(self, *, limit: int | None = None, cursor: str | None = None, **filters: Unpack[Filters]) -> Page:
        """Runs, the most recently updated first; all of them unless told otherwise (see Filters).

        cursor: of an earlier page; to go on behind it. A run that is updated meanwhile moves to the front: none comes twice,
        and none that was not updated is left out.
        """
        return self._ready().answers.runs(RunFilter.of(filters), limit, cursor)

    def counts(self) -> dict[WorkflowStatus, int]:
        """How many runs there are of each status."""
        return self._ready().queries.counts()

    def resume_point(self, run_id: UUID | str) -> ResumePoint:
        """Where an interrupted run goes on. Raises NotFound where there is no such run."""
        return resume_point(self.get(run_id), run_id)

    # --- checkpoints --------------------------------------------------------------------------------------------------

    def checkpoints(self, run_id: UUID | str) -> List[Checkpoint]:
        """The run's kept checkpoints, oldest first. Raises Configuration for a reader without checkpoints."""
        return answer(self._ready().answers.checkpoints(run_id))

    def latest_checkpoint(self, run_id: UUID | str) -> Checkpoint | None:
        """The one with the greatest version."""
        return answer(self._ready().answers.latest_checkpoint(run_id))

    # --- waiting ------------------------------------------------------------------------------------------------------

    def watch(self, *, current: bool = False, **filters: Unpack[Filters]) -> Changes:
        """Every change from now on of runs that the filters allow, or allowed before it; without gaps, without an end.

        One who is slow is told of each run only how it is now, so that nothing piles up. With stale_for, a run is told when
        it has become stale, and when it is not any more.

        current: begin with the runs that the filters allow now.
        """
        return Changes(self._ready(), RunFilter.of(filters), None, current=current)

    def wait_for(
        self, run_id: UUID | str, predicate: Callable[[WorkflowState], object], timeout_s: float | None = None
    ) -> WorkflowState:
        """The first state of the run that the predicate holds for; not every state is seen, but the newest always.

        Raises TimedOut.
        """
        left = Deadline(timeout_s)
        with Changes(self._ready(left), RunFilter(), run_key(run_id), current=True) as changes:
            while (change := changes.next(left.seconds)) is not None:
                if change.state is not None and predicate(change.state):
                    return change.state
        raise not_as_expected(run_id, timeout_s)

    def applied(self, delivery: OnItsWay | Delivered, timeout_s: float | None = None) -> WorkflowState | None:
        """Read your own write: the run's state, with this event applied; None when the run is deleted.

        An event that was a duplicate counts as applied. A state may have later events too.

        Raises:
            EventRejected: with its code.
            TimedOut: nothing was heard of it within timeout_s.
            Connection: it was not delivered.
        """
        left = Deadline(timeout_s)
        delivered = delivery if isinstance(delivery, Delivered) else delivery.result(timeout_s)
        core = self._ready(left)
        _wait(core.settle(delivered), left.seconds, lambda: not_settled(delivered, timeout_s))
        try:
            return answer(core.answers.state(delivered.run_id), left)
        except LateError:
            raise not_fetched(delivered.run_id, timeout_s) from None

    def _ready(self, left: Deadline | None = None) -> Core:
        core = self._opening.core()
        if not core.is_ready():
            seconds = left.seconds if left else None
            _wait(core.when_ready(), seconds, lambda: not_ready(core, seconds))
        return core


class Changes:
    """An iterator of changes; leaving its with block, or close(), ends it."""

    def __init__(self, core: Core, wanted: RunFilter, key: bytes | None, *, current: bool) -> None:
        self._core = core
        self._awake = threading.Event()
        self._closed = False
        self._watch = core.watch(wanted, key, self._awake.set, current=current)

    def next(self, timeout_s: float | None = None) -> Change | None:
        """The next change; None when there was none for so long, or it is closed. Raises what ends the reader."""
        found = self.next_record(timeout_s)
        return None if found is None else as_change(found)

    def next_record(self, timeout_s: float | None = None, *, values: bool = True) -> RunChange | None:
        """As next(), its state as Avro data; see StateReader.record().

        values: False for those that are carried inline only; of the others there is the reference.
        """
        left = Deadline(timeout_s)
        while not self._closed:
            self._awake.clear()
            try:
                change = answer(self._core.next_change(self._watch, values=values), left)
            except LateError:
                return None  # it is told the next time
            if change is not None or left.is_over:
                return change
            self._awake.wait(left.at_most(self._watch.next_due_s()))
        return None

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._core.unwatch(self._watch)
            self._awake.set()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Change:
        change = self.next()
        if change is None:
            raise StopIteration
        return change

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _wait(future: Future[Any], seconds: float | None, otherwise: Callable[[], TimedOut]) -> None:
    try:
        future.result(seconds)
    except TimeoutError:
        raise otherwise() from None
    finally:
        future.cancel()


def not_ready(core: Core, timeout_s: float | None) -> TimedOut:
    return TimedOut(
        f"{core.progress().remaining} offsets of the topics are not read after {timeout_s:.3g} s; wait longer, or check the "
        "brokers"
    )


def not_settled(delivered: Delivered, timeout_s: float | None) -> TimedOut:
    return TimedOut(
        f"nothing was heard of event {delivered.event_id} (partition {delivered.partition}, offset {delivered.offset}) within "
        f"{timeout_s:g} s; check that a worker runs on this topic set, and wait again"
    )


def not_fetched(run_id: UUID | str, timeout_s: float | None) -> TimedOut:
    return TimedOut(
        f"the event was applied, and the large values of run {run_id} could not be fetched within {timeout_s:g} s; wait "
        "longer, or check the brokers"
    )


def not_as_expected(run_id: UUID | str, timeout_s: float | None) -> TimedOut:
    return TimedOut(f"run {run_id} was not as expected within {timeout_s:g} s; wait longer, or look at what it is now")


def resume_point(state: WorkflowState | None, run_id: UUID | str) -> ResumePoint:
    if state is None:
        raise NotFound(f"there is no run {run_id} to resume")
    return ResumePoint.of(state)
