"""How a process notices that its supervisor is gone, however it went: the pipe between them has come to its end.

On every system, unlike Linux's PR_SET_PDEATHSIG, which also fires when only the thread ends that started the process.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

ORPHAN_PATIENCE_S = 5.0
"""For an orphan to finish its transaction and leave the group. Who started the supervisor believes it ended."""


def hold(descriptor: int, let_go: Callable[[], None]) -> None:
    """Call let_go from a thread when the other end of the pipe is closed, and end the process soon after it.

    Nobody writes to that pipe, and no other process holds its other end.
    """
    threading.Thread(target=_wait, args=(descriptor, let_go), name="lifeline", daemon=True).start()


def _wait(descriptor: int, let_go: Callable[[], None]) -> None:
    while os.read(descriptor, 1):
        continue
    let_go()
    threading.main_thread().join(ORPHAN_PATIENCE_S)
    if threading.main_thread().is_alive():
        os._exit(1)  # nothing that was not committed is seen by anybody
