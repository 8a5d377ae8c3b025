"""Directories that hold the states of other people's conversations."""

from __future__ import annotations

from pathlib import Path

from ..errors import StateDirectory


def make_directory(path: Path) -> Path:
    """``path``, made with its parents where missing, readable by its owner only. Raises StateDirectory."""
    try:
        # not mkdir(parents=True): that gives the mode to the last one only
        for missing in reversed([directory for directory in (path, *path.parents) if not directory.exists()]):
            missing.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise StateDirectory(f"{path} cannot be made ({error.strerror}); make its parent writable") from None
    return path
