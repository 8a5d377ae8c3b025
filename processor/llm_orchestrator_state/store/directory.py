"""Directories that hold the states of other people's conversations."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ..errors import StateDirectory

OTHERS = 0o077
"""What group and others may do, in a file's mode."""


def make_directory(path: Path, *, instead: str = "use another directory") -> Path:
    """``path``, made with its parents where missing, readable by its owner only. One that is there and open to others is
    closed to them, where it is this user's; its parents are left as they are.

    instead: how somebody names another one. Raises StateDirectory.
    """
    try:
        # not mkdir(parents=True): that gives the mode to the last one only
        for missing in reversed(
            [directory for directory in (path, *path.parents) if not os.access(directory, os.F_OK)]
        ):
            missing.mkdir(mode=0o700, exist_ok=True)
        _close_to_others(path)
    except (FileExistsError, NotADirectoryError):
        file = next(each for each in (path, *path.parents) if each.exists() and not each.is_dir())
        raise StateDirectory(f"{file} is not a directory; {instead}, or move that file away") from None
    except OSError as error:
        there = next((each for each in path.parents if os.access(each, os.F_OK)), path.parent)
        raise StateDirectory(
            f"{path} cannot be made in {there} ({error.strerror}); make that writable, or {instead}"
        ) from None
    return path


def _close_to_others(path: Path) -> None:
    found = path.stat()
    if stat.S_ISDIR(found.st_mode) and found.st_mode & OTHERS and found.st_uid == os.geteuid():
        path.chmod(stat.S_IMODE(found.st_mode) & ~OTHERS)
