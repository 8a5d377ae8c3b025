"""A core that is made when it is first needed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from ...errors import Closed
from .core import CLOSED, Core

C = TypeVar("C", bound=Core)


class Opening(Generic[C]):
    """From any thread. make: called again where it has failed."""

    def __init__(self, make: Callable[[], C]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._core: C | None = None
        self._closed = False

    @property
    def opened(self) -> C | None:
        """Without waiting. Raises Closed."""
        self._check()
        return self._core

    def core(self) -> C:
        """May take seconds. Raises as StateReader does, and Closed."""
        if self._core is not None and not self._closed:
            return self._core
        with self._lock:
            self._check()
            if self._core is None:
                self._core = self._make()
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
            raise Closed(CLOSED)
