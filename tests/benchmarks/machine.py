"""On what the figures were measured, and what the kernel tells of a process (proc(5): Linux only)."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import confluent_kafka

from llm_orchestrator_state.local.jars import kafka_version

_TICKS = os.sysconf("SC_CLK_TCK")
USER_TICKS, SYSTEM_TICKS = 11, 12
"""Fields of /proc/<pid>/stat after the command's name."""


def machine(*, own_broker: bool) -> dict[str, str]:
    return {
        "cpu": _field("/proc/cpuinfo", "model name"),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{int(_field('/proc/meminfo', 'MemTotal').split()[0]) / 2**20:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "date": datetime.now(UTC).date().isoformat(),
        "python": platform.python_version(),
        "kafka": kafka_version() if own_broker else "not told",
        "librdkafka": confluent_kafka.libversion()[0],
        **{name: version(name) for name in ("confluent-kafka", "msgspec", "fastavro", "rocksdict")},
    }


def cpu_s(pid: int) -> float:
    """User and system time of all its threads so far, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[USER_TICKS]) + int(fields[SYSTEM_TICKS])) / _TICKS


def running_s(pid: int) -> float:
    """The same of the threads that are still there, to the nanosecond: ten seconds of idling are a few clock ticks."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def busy_s() -> float:
    """CPU time of everything on this machine so far: what nobody measured tells a disturbed run."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split()[1:9]]
    user, nice, system, _, _, interrupts, soft_interrupts, stolen = fields
    return (user + nice + system + interrupts + soft_interrupts + stolen) / _TICKS


def peak_mib(pid: int) -> float:
    """Largest resident size so far. Not getrusage(): that begins with the size of the process that started this one."""
    return int(_field(f"/proc/{pid}/status", "VmHWM").split()[0]) / 1024


def resident_mib() -> float:
    """Size in memory of this process now."""
    return int(_field("/proc/self/status", "VmRSS").split()[0]) / 1024


def _field(path: str, name: str) -> str:
    for line in Path(path).read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == name:
            return value.strip()
    raise LookupError(f"{path} has no {name}")
