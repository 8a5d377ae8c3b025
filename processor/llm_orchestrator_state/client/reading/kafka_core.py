"""The core of readers that follow topics."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from ...errors import Closed, Connection, CorruptStore
from ...kafka.logs import log_error, logger
from ...kafka.properties import Properties, with_pass_through
from ...kafka.reader import Reader
from ..producer import Delivered
from .asking import Asker, Lag
from .checkpoints import id_reader
from .core import CLOSED, Core
from .fetching import OutputValues
from .follower import FOLLOWER, Follower
from .following import Following, Progress
from .life import Life
from .moves import Moves
from .options import Options
from .run import RunReader
from .settling import Settling
from .window import Window

CLOSING_S = 5.0
"""How long the end of the threads is waited for. One that asks brokers which are away takes longer, and ends by itself."""


class KafkaCore(Core):
    """Making it connects. Raises as StateReader does."""

    def __init__(self, options: Options) -> None:
        life = Life()
        self._closing = threading.Lock()
        self._is_closed = False
        registry = options.registry()
        self.cluster = cluster = options.cluster()
        admin = cluster.admin

        def properties(own: Properties) -> dict[str, Any]:
            return {**with_pass_through(own, admin.bootstrap_servers, admin.properties), "error_cb": log_error}

        follower = Follower(Reader(properties(FOLLOWER), logger=logger), life, self._moved, self._is_awaited)
        self.following = Following(
            cluster,
            life,
            RunReader(registry),
            id_reader(registry),
            follower,
            partitions=options.partitions,
            directory=None if options.directory is None else Path(options.directory),
            checkpoints=options.checkpoints,
        )
        self._moves = Moves(life)
        self._values = OutputValues(life, self.following, properties, self._outputs_moved)
        super().__init__(life, self.following, registry, self._values, self._moves)
        self._settling = Settling(life, self.following.index, self.following.rejections.get, self._window)
        self._asker = Asker(cluster, life, self.following, self._settling)
        self._threads = [
            threading.Thread(target=life.guarded(work), name=f"state-reader-{name}", daemon=True)
            for name, work in (("follower", follower.run), ("asker", self._asker.run))
        ]
        self.following.begin(self._settling)
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        if self.life.is_foreign():
            return  # all of it is the parent's
        self.life.end(Closed(CLOSED))
        with self._closing:
            if self._is_closed:
                return
            self._is_closed = True
            for thread in [*self._threads, *self._values.threads]:
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
            self._moves.moved()

    def _outputs_moved(self) -> None:
        with self.life.lock:
            self._moves.moved()

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
        self.life.check()
        return Lag(None, self._asker.level_at())

    # --- waiting for changes ------------------------------------------------------------------------------------------

    def settle(self, delivered: Delivered, *, checkpoints: bool = True) -> Future[Window | None]:
        self.life.check()
        if delivered.offset < 0:
            raise Connection(
                f"the broker has not told where event {delivered.event_id} is; publish it again: it is recognised by its "
                "id, and its place is known then"
            )
        self.following.check_followed(delivered.partition)
        with self.life.lock:
            return self._settling.add(delivered, checkpoints=checkpoints and bool(self.following.checkpoints))
