"""A core that is made when it is first needed."""

from __future__ import annotations

import threading

from ...errors import Closed
from .core import Core
from .options import Options


class Opening:
    """From any thread."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._lock = threading.Lock()
        self._core: Core | None = None
        self._closed = False

    @property
    def opened(self) -> Core | None:
        """Without waiting. Raises Closed."""
        self._check()
        return self._core

    def core(self) -> Core:
        """May take seconds. Raises as StateReader does, and Closed."""
        if self._core is not None and not self._closed:
            return self._core
        with self._lock:
            self._check()
            if self._core is None:
                self._core = Core(self._options)
            return self._core

    def close(self) -> None:
        """Once is enough, and more does nothing. An opening that is under way is waited for."""
        if not self._closed:
            self._closed = True
            self._end()

    def abandon(self) -> None:
        """Close without waiting. Nor does close() wait then, which the garbage collector calls in the event loop's thread."""
        if not self._closed:
            self._closed = True
            threading.Thread(target=self._end, name="state-reader-close", daemon=True).start()

    def _end(self) -> None:
        with self._lock:
            core = self._core
        if core is not None:
            core.close()

    def _check(self) -> None:
        if self._closed:
            raise Closed("this reader is closed; read inside its with block, or make another")
