"""The local broker: one real Apache Kafka node on this machine, for trying things out and for tests."""

from __future__ import annotations

import errno
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec

from ..errors import StateDirectory
from ..settings import xdg_directory
from ..store.directory import make_directory
from .container import remove
from .interrupts import uninterrupted
from .jars import locked
from .launch import launch
from .node import Node, kafka_uuid
from .ports import free_ports
from .process import Process, spawn_detached

# Kafka's own 9092 is left to a real broker.
PREFERRED_PORTS = (19092, 19093)
STOP_PATIENCE_SECONDS = 30.0  # an orderly stop takes 1 s, and 4 s when it writes the class-data archive

log = logging.getLogger(__name__)


class BrokerStatus(NamedTuple):
    """bootstrap and pid are None when it does not run."""

    running: bool
    bootstrap: str | None
    pid: int | None
    directory: Path


class _Record(msgspec.Struct, frozen=True):
    """What is remembered of the last broker started. Other versions of this package read it too.

    port, controller_port: the next one has the same address, if they are free.
    archive, container: see Launch.
    """

    process: Process
    port: int
    controller_port: int
    archive: str = ""
    container: str = ""


class LocalBroker:
    """A broker which goes on running when this program ends, until somebody stops it.

    directory: its data, its log and the record by which it is found again; one broker for each directory. The
    default is below the user's cache directory.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self.directory = (directory or xdg_directory("CACHE") / "broker").absolute()

    def start(self, *, fresh: bool = False) -> str:
        """The bootstrap address, of a broker that answers; of the running one if there is one.

        fresh: without any earlier data; a running broker is stopped first.
        Raises MissingProgram (neither Java with Maven nor Docker), Connection when the broker does not come up, and
        StateDirectory.
        """
        with self._locked():
            record = self._running()
            if record and not fresh:
                return _node(self.directory, record.port, record.controller_port).address
            if record:
                self._stop(record)
            if fresh:
                self._forget_data()
            return self._launch()

    def stop(self) -> bool:
        """Whether there was one to stop. Returns when it is gone."""
        with self._locked():
            record = self._running()
            if record:
                self._stop(record)
            return record is not None

    def status(self) -> BrokerStatus:
        record = self._running()
        if not record:
            return BrokerStatus(running=False, bootstrap=None, pid=None, directory=self.directory)
        address = _node(self.directory, record.port, record.controller_port).address
        return BrokerStatus(running=True, bootstrap=address, pid=record.process.pid, directory=self.directory)

    def _launch(self) -> str:
        last = self._record()
        preferred = (last.port, last.controller_port) if last else PREFERRED_PORTS
        port, controller_port = free_ports(2, preferred)
        if port != preferred[0]:
            log.warning("port %d is taken: the broker listens on %d", preferred[0], port)
        node = _node(self.directory, port, controller_port)
        node.prepare(kafka_uuid())
        self._class_data.unlink(missing_ok=True)  # of a JVM that was killed while it wrote
        start = launch(node, self._class_data)
        with uninterrupted():
            # Before it is ready: whatever happens to this program from here on, the broker can be found.
            process = spawn_detached(start.command, node.log)
            record = _Record(process, port, controller_port, start.archive, start.container)
            self._remember(record)
        try:
            node.wait_ready(process)
        except BaseException:
            with uninterrupted():
                _end(process, start.container, patience_seconds=0)
                node.clean()
            raise
        return node.address

    def _stop(self, record: _Record) -> None:
        left_by_itself = _end(record.process, record.container, STOP_PATIENCE_SECONDS)
        # One that was killed may have written half of it.
        if left_by_itself and self._class_data.exists():
            self._class_data.replace(record.archive)
        _node(self.directory, record.port, record.controller_port).clean()

    def _forget_data(self) -> None:
        data = self.directory / "data"
        if data.exists():
            shutil.rmtree(data)

    def _running(self) -> _Record | None:
        record = self._record()
        return record if record and record.process.alive() else None

    def _record(self) -> _Record | None:
        try:
            return msgspec.json.decode(self._record_file.read_bytes(), type=_Record)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._unusable(error) from None
        except msgspec.DecodeError as error:
            raise StateDirectory(
                f"{self._record_file} does not say which broker runs here ({error}); end that broker, delete the file"
            ) from error

    def _remember(self, record: _Record) -> None:
        unfinished = self._record_file.with_suffix(".part")
        unfinished.write_bytes(msgspec.json.encode(record))
        unfinished.replace(self._record_file)

    @property
    def _record_file(self) -> Path:
        return self.directory / "broker.json"

    @property
    def _class_data(self) -> Path:
        return self.directory / "classes.jsa"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        make_directory(self.directory, instead="name another cache directory in XDG_CACHE_HOME")
        if not os.access(self.directory, os.W_OK | os.X_OK):
            raise self._unusable(PermissionError(errno.EACCES, os.strerror(errno.EACCES)))
        with locked(self.directory / "lock"):
            yield

    def _unusable(self, error: OSError) -> StateDirectory:
        return StateDirectory(
            f"the local broker's directory {self.directory} cannot be used ({error.strerror}); give it to this user, "
            "or name another cache directory in XDG_CACHE_HOME"
        )


def _end(process: Process, container: str, patience_seconds: float) -> bool:
    """Whether the broker left by itself."""
    left_by_itself = process.stop(patience_seconds)
    if container and not left_by_itself:
        remove(container)  # only Docker's client was killed
    return left_by_itself


def _node(directory: Path, port: int, controller_port: int) -> Node:
    return Node(directory, 0, [port], [controller_port])
