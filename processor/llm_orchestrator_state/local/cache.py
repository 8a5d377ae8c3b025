"""Where this package keeps what it can fetch or make again: jars, and the local broker's data and logs."""

from __future__ import annotations

import os
from pathlib import Path


def cache_directory() -> Path:
    """``$XDG_CACHE_HOME/llm-orchestrator-state``, else below ``~/.cache``. It may not exist yet.

    A relative XDG_CACHE_HOME is ignored, as the XDG base directory specification demands.
    """
    given = Path(os.environ.get("XDG_CACHE_HOME", ""))
    base = given if given.is_absolute() else Path.home() / ".cache"
    return base / "llm-orchestrator-state"
