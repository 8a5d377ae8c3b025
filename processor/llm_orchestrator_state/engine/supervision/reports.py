"""What a process tells its supervisor: lines of JSON through a pipe."""

from __future__ import annotations

import os

import msgspec

from ..progress import Progress


class Report(msgspec.Struct, omit_defaults=True):
    """progress: as of now. error: why the process is about to end; one line, or more where several things are wrong."""

    progress: Progress | None = None
    error: str = ""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Report).decode


class ReportWriter:
    """The process's end of the pipe.

    A report that finds no room is dropped: a supervisor that is stopped must not stop those whom it looks after.
    """

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._unsent = b""

    def tell(self, report: Report) -> None:
        self._send()
        if not self._unsent:
            self._unsent = _encode(report) + b"\n"
            self._send()

    def _send(self) -> None:
        try:
            while self._unsent:
                self._unsent = self._unsent[os.write(self._descriptor, self._unsent) :]
        except (BlockingIOError, BrokenPipeError):
            return  # no room, or nobody there any more: that is noticed elsewhere (see lifeline.py)


class ReportReader:
    """The supervisor's end of the pipe."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._rest = b""

    def read(self) -> list[Report]:
        """Those that have come whole since the last call; does not wait."""
        *lines, self._rest = (self._rest + self._arrived()).split(b"\n")
        return [_decode(line) for line in lines]

    def _arrived(self) -> bytes:
        found = b""
        try:
            while part := os.read(self._descriptor, 65_536):
                found += part
        except BlockingIOError:
            pass
        return found
