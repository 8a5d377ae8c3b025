"""What both readers are made of: everything but the waiting."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future

from ...wire.framing import Registry
from ..producer import Delivered
from .answers import Answers
from .asking import Lag
from .change import RunChange
from .decoding import Decoding
from .filter import RunFilter
from .followed import Followed
from .following import Progress
from .life import Life
from .moves import Moves
from .queries import Queries
from .resolving import Resolver
from .values import Values
from .waiting import Question
from .watching import Watch
from .window import Window, WindowReader

CLOSED = "this reader is closed; read inside its with block, or make another"


class Core(ABC):
    """Its methods wait for nothing but the reader's lock; what has to be waited for is a future.

    Where the tables and the large values come from is decided by the kind of core: from Kafka, or from a pipeline in memory.
    moves: told of every change of a table.
    """

    def __init__(self, life: Life, followed: Followed, registry: Registry | None, values: Values, moves: Moves) -> None:
        self.life = life
        self.followed = followed
        self.queries = Queries(life, followed, Decoding(registry))
        self.answers = Answers(self.queries, Resolver(values, moves))
        self._windows = WindowReader(registry)

    @abstractmethod
    def close(self) -> None:
        """Once is enough, and more does nothing."""

    # --- how far it has come ------------------------------------------------------------------------------------------

    @abstractmethod
    def is_ready(self) -> bool: ...
    @abstractmethod
    def when_ready(self) -> Future[None]: ...
    @abstractmethod
    def progress(self) -> Progress: ...
    @abstractmethod
    def lag(self) -> Future[Lag]: ...
    @abstractmethod
    def known_lag(self) -> Lag:
        """Without an answer of the brokers."""

    # --- waiting for changes ------------------------------------------------------------------------------------------

    @abstractmethod
    def settle(self, delivered: Delivered, *, checkpoints: bool = True) -> Future[Window | None]:
        """Done when the event is settled, and what it wrote can be read: with the run's window, None where the run is gone.

        checkpoints: whether also in the checkpoints, where they are followed. It takes longer.
        """

    def _window(self, partition: int, key: bytes) -> Window | None:
        """Under the reader's lock."""
        (value,) = self.followed.states[partition].values([key])
        return None if value is None else self._windows.read(value)

    def watch(self, wanted: RunFilter, key: bytes | None, wake: Callable[[], None], *, current: bool) -> Watch:
        """Registered from now on. wake: called, from any thread, when there is something for next_change()."""
        self.life.check()
        watch = Watch(wanted, key, wake)
        with self.life.lock:
            index = self.followed.index
            run = None if key is None else index.get(key)
            watch.begin(index.candidates(wanted) if key is None else [run] if run else [], tell=current)
            self.followed.listen(watch)
        self.life.listen(wake)
        return watch

    def unwatch(self, watch: Watch) -> None:
        with self.life.lock:
            self.followed.forget(watch)
        self.life.forget(watch.wake)

    def next_change(self, watch: Watch, *, values: bool = True) -> Question[RunChange | None]:
        """See Answers. Raises what has ended the reader."""
        return self.answers.next_change(watch, values=values)
