"""One demo at a time on the local broker: the one that ends would stop it under the other's feet."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from ...errors import StateDirectory
from ...store.directory import make_directory


class Turn:
    """The broker is this demo's. last_prefix: of the topics that the demo before it left; "" where there was none."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self.last_prefix = file.read().strip()

    def remember(self, prefix: str) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._file.write(prefix)
        self._file.flush()


@contextmanager
def take_turn(directory: Path) -> Iterator[Turn]:
    """directory: the broker's. Raises StateDirectory while another demo has its turn."""
    make_directory(directory)
    with (directory / "demo").open("a+") as file:
        file.seek(0)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateDirectory(
                f"another demo is using the local broker in {directory}; wait for its end, or give "
                "--bootstrap-servers host:port of another Kafka"
            ) from None
        yield Turn(file)
