"""How many processes can work at once here."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

CONTROL_GROUPS = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")


def cores(groups: Path = CONTROL_GROUPS, own: Path = OWN_GROUPS) -> int:
    """Those that this process may run on, and no more whole ones than its control groups give it time of.

    A container that may use two of a machine's 64 cores sees all of them: only its quota tells.
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, int(min([bound, *_quotas(groups, own)])))


def _quotas(groups: Path, own: Path) -> Iterator[float]:
    """In cores; of this process's groups and those around them (cgroups(7): version 2 has one tree, 1 has many)."""
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return  # not Linux
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        root = groups / controllers
        group = root / path.lstrip("/")
        # a container sees its own group as the root, and may be told a path that is not there
        for directory in (group, *group.parents):
            yield from _quota(directory)
            if directory == root:
                break


def _quota(group: Path) -> Iterator[float]:
    try:
        if (group / "cpu.max").exists():
            quota, period = (group / "cpu.max").read_text().split()
        else:
            quota, period = ((group / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
    except OSError:
        return
    if quota != "max" and int(quota) > 0:
        yield int(quota) / int(period)
