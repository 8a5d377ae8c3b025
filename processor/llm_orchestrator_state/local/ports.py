"""Ports on loopback on which a broker can listen, also after it has died and comes back."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path

LOOPBACK = "127.0.0.1"
RANGE_BELOW_EPHEMERAL = 10_000
LINUX_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
IANA_EPHEMERAL_START = 49_152


def free_ports(count: int, preferred: Iterable[int] = ()) -> list[int]:
    """As many different ports as asked for: the preferred ones that are free, then random ones.

    All are below the ephemeral range. On loopback, a client that keeps connecting to a dead broker's port can
    otherwise be given that very port as its own source (a TCP self-connect), and the broker cannot come back on it.
    """
    ports: list[int] = []
    for port in _candidates(preferred):
        if port not in ports and _is_free(port):
            ports.append(port)
        if len(ports) == count:
            break
    return ports


def _candidates(preferred: Iterable[int]) -> Iterator[int]:
    yield from preferred
    end = _ephemeral_start()
    while True:
        yield random.randrange(max(1024, end - RANGE_BELOW_EPHEMERAL), end)  # noqa: S311 - no secret


def _ephemeral_start() -> int:
    return int(LINUX_RANGE.read_text().split()[0]) if LINUX_RANGE.exists() else IANA_EPHEMERAL_START


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the broker itself does: connections of its predecessor in TIME_WAIT do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
