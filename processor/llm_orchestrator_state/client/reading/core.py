"""What both readers are made of: everything but the waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

from ...errors import Closed, Connection, CorruptStore
from ...kafka.logs import log_error, logger
from ...kafka.properties import with_pass_through
from ...kafka.reader import Reader
from ...wire.codec import Codec
from ..producer import Delivered
from .asking import Asker, Lag
from .change import Change
from .checkpoints import id_reader
from .decoding import Decoding
from .filter import RunFilter
from .follower import FOLLOWER, Follower
from .following import Following, Progress
from .life import Life
from .options import Options
from .queries import Queries
from .run import RunReader
from .settling import Settling
from .watching import Watch
from .window import Window, WindowReader

CLOSING_S = 5.0
"""How long the end of the threads is waited for. One that asks brokers which are away takes longer, and ends by itself."""


class Core:
    """Its methods wait for nothing but the reader's lock; what has to be waited for is a future.

    Making it connects. Raises as StateReader does.
    """

    def __init__(self, options: Options) -> None:
        self.life = Life()
        self._closing = threading.Lock()
        self._is_closed = False
        registry = options.registry()
        self.cluster = cluster = options.cluster()
        admin = cluster.admin
        conf = {**with_pass_through(FOLLOWER, admin.bootstrap_servers, admin.properties), "error_cb": log_error}
        follower = Follower(Reader(conf, logger=logger), self.life, self._moved, self._is_awaited)
        self.following = Following(
            cluster,
            self.life,
            RunReader(registry),
            id_reader(registry),
            follower,
            partitions=options.partitions,
            directory=None if options.directory is None else Path(options.directory),
            checkpoints=options.checkpoints,
        )
        self._windows = WindowReader(registry)
        self._settling = Settling(self.life, self.following.index, self.following.rejections.get, self._window)
        self._asker = Asker(cluster, self.life, self.following, self._settling)
        self.decoding = Decoding(Codec(registry))
        self.queries = Queries(self.life, self.following, self.decoding)
        self._threads = [
            threading.Thread(target=self.life.guarded(work), name=f"state-reader-{name}", daemon=True)
            for name, work in (("follower", follower.run), ("asker", self._asker.run))
        ]
        self.following.begin(self._settling)
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Once is enough, and more does nothing."""
        if self.life.is_foreign():
            return  # all of it is the parent's
        self.life.end(Closed("this reader is closed; read inside its with block, or make another"))
        with self._closing:
            if self._is_closed:
                return
            self._is_closed = True
            for thread in self._threads:
                thread.join(CLOSING_S)
            try:
                if self.life.ended_by(Closed):
                    self.following.note()
            finally:
                self.following.close(damaged=self.life.ended_by(CorruptStore))

    def _moved(self) -> None:
        with self.life.lock:
            self.following.moved()
            self._settling.moved()

    def _is_awaited(self) -> bool:
        return bool(self._settling) or not self.following.is_ready()

    # --- how far it has come ------------------------------------------------------------------------------------------

    def is_ready(self) -> bool:
        return self.following.is_ready()

    def when_ready(self) -> Future[None]:
        self.life.check()
        with self.life.lock:
            return self.following.when_ready()

    def progress(self) -> Progress:
        self.life.check()
        with self.life.lock:
            return self.following.progress()

    def lag(self) -> Future[Lag]:
        self.life.check()
        return self._asker.lag()

    def known_lag(self) -> Lag:
        """Without an answer of the brokers."""
        self.life.check()
        return Lag(None, self._asker.level_at())

    # --- waiting for changes ------------------------------------------------------------------------------------------

    def settle(self, delivered: Delivered, *, checkpoints: bool = True) -> Future[Window | None]:
        """Done when the event is settled, and what it wrote can be read: with the run's window, None where the run is gone.

        checkpoints: whether also in the checkpoints, where they are followed. It takes longer.
        """
        self.life.check()
        if delivered.offset < 0:
            raise Connection(
                f"the broker has not told where event {delivered.event_id} is; publish it again: it is recognised by its "
                "id, and its place is known then"
            )
        self.following.check_followed(delivered.partition)
        with self.life.lock:
            return self._settling.add(delivered, checkpoints=checkpoints and bool(self.following.checkpoints))

    def _window(self, partition: int, key: bytes) -> Window | None:
        (value,) = self.following.states[partition].values([key])
        return None if value is None else self._windows.read(value)

    def watch(self, wanted: RunFilter, key: bytes | None, wake: Callable[[], None], *, current: bool) -> Watch:
        """Registered from now on. wake: called, from any thread, when there is something for next_change()."""
        self.life.check()
        watch = Watch(wanted, key, wake)
        with self.life.lock:
            index = self.following.index
            run = None if key is None else index.get(key)
            watch.begin(index.candidates(wanted) if key is None else [run] if run else [], tell=current)
            self.following.listen(watch)
        self.life.listen(wake)
        return watch

    def unwatch(self, watch: Watch) -> None:
        with self.life.lock:
            self.following.forget(watch)
        self.life.forget(watch.wake)

    def next_change(self, watch: Watch) -> Change | None:
        """None: nothing to tell yet. Raises what has ended the reader."""
        self.life.check()
        return self.queries.next_change(watch)
