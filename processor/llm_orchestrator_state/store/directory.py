"""Directories that hold the states of other people's conversations."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import StateDirectory


def make_directory(path: Path, *, instead: str = "use another directory") -> Path:
    """``path``, made with its parents where missing, readable by its owner only.

    instead: how somebody names another one. Raises StateDirectory.
    """
    try:
        # not mkdir(parents=True): that gives the mode to the last one only
        for missing in reversed(
            [directory for directory in (path, *path.parents) if not os.access(directory, os.F_OK)]
        ):
            missing.mkdir(mode=0o700, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        file = next(each for each in (path, *path.parents) if each.exists() and not each.is_dir())
        raise StateDirectory(f"{file} is not a directory; {instead}, or move that file away") from None
    except OSError as error:
        there = next((each for each in path.parents if os.access(each, os.F_OK)), path.parent)
        raise StateDirectory(
            f"{path} cannot be made in {there} ({error.strerror}); make that writable, or {instead}"
        ) from None
    return path
