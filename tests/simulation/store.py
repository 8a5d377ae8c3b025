"""State directories in memory: they survive their process, and may lose the last writes when it crashes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NoReturn

from llm_orchestrator_state.errors import CorruptStore, StateDirectory, StoreLocked
from llm_orchestrator_state.store.interface import Positions
from tests.simulation.clock import HostClock
from tests.simulation.faults import FAIL, UNKNOWN

if TYPE_CHECKING:
    from tests.simulation.process import SimProcess

UNSYNCED_WRITES = 6
"""How many of the last writes a crash can lose."""
CORRUPT = 0.3
"""Among faulty calls, of open() those that take effect."""

Changes = Iterable[tuple[bytes, bytes | None]]
Undo = tuple[list[tuple[dict[bytes, bytes], bytes, bytes | None]], Positions | None]
"""What stood where, and the positions."""


class Files:
    """One partition's database as it lies on disk."""

    __slots__ = ("contexts", "corrupt", "holder", "positions", "undo", "unlogged", "values")

    def __init__(self) -> None:
        self.values: dict[bytes, bytes] = {}
        self.contexts: dict[bytes, bytes] = {}
        self.positions: Positions | None = None
        self.holder: SimProcess | None = None
        self.corrupt = False
        self.undo: list[Undo] = []
        self.unlogged = 0
        """How many of the last writes are lost when the process ends."""

    def lose(self, writes: int) -> None:
        """Take back the last writes, states and positions together."""
        for _ in range(min(writes, len(self.undo))):
            previous, self.positions = self.undo.pop()
            for table, key, value in reversed(previous):
                if value is None:
                    table.pop(key, None)
                else:
                    table[key] = value


class Disk:
    """A host's state directory and its clock, shared by the host's processes."""

    def __init__(self, clock: HostClock) -> None:
        self.clock = clock
        self.partitions: dict[int, Files] = {}

    def files(self, partition: int) -> Files:
        return self.partitions.setdefault(partition, Files())

    def release(self, process: SimProcess, lost_writes: int) -> None:
        """The process has ended."""
        for files in self.partitions.values():
            if files.holder is process:
                files.holder = None
                files.lose(max(lost_writes, files.unlogged))
                files.undo.clear()
                files.unlogged = 0

    def delete(self, partition: int) -> bool:
        """Remove the directory, where nobody has it open."""
        files = self.partitions.get(partition)
        if files is None or files.holder is not None:
            return False
        del self.partitions[partition]
        return True


class SimStore:
    def __init__(self, files: Files, process: SimProcess, partition: int) -> None:
        self.partition = partition
        self._files = files
        self._process = process
        self._faults = process.faults
        self._open = True

    def _check(self) -> None:
        assert self._open, "the store is closed"

    def positions(self) -> Positions | None:
        self._check()
        return self._files.positions

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        self._check()
        fault = self._faults.draw("store.get_many")
        if fault in (FAIL, UNKNOWN):
            self._refuse("Input/output error")
        self._faults.settle(fault, "store.get_many")
        values = self._files.values
        return [values.get(key) for key in keys]

    def context(self, key: bytes) -> bytes | None:
        self._check()
        return self._files.contexts.get(key)

    def write(self, changes: Changes, positions: Positions, contexts: Changes = (), *, logged: bool = True) -> None:
        self._check()
        assert not (logged and self._files.unlogged), "a logged write would survive unlogged ones before it"
        fault = self._faults.draw("store.write")
        if fault == FAIL:
            self._refuse("No space left on device")
        files = self._files
        previous: list[tuple[dict[bytes, bytes], bytes, bytes | None]] = []
        for table, changed in ((files.values, changes), (files.contexts, contexts)):
            for key, value in changed:
                previous.append((table, key, table.get(key)))
                if value is None:
                    table.pop(key, None)
                else:
                    table[key] = value
        files.undo.append((previous, files.positions))
        files.unlogged += not logged
        del files.undo[: -max(UNSYNCED_WRITES, files.unlogged)]
        files.positions = positions
        if fault == UNKNOWN:
            self._refuse("Input/output error")
        self._faults.settle(fault, "store.write")

    def flush(self) -> None:
        self._check()
        fault = self._faults.draw("store.flush")
        if fault == FAIL:
            self._refuse("No space left on device")
        self._files.unlogged = 0
        self._faults.settle(fault, "store.flush")

    def _refuse(self, reason: str) -> NoReturn:
        if self._faults.rng.random() < CORRUPT:
            self._files.corrupt = True
            raise CorruptStore(f"simulated: Corruption: partition {self.partition}")
        self._process.store_failed = True
        raise StateDirectory(f"simulated: {reason}")

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        self._check()
        return iter(sorted(self._files.values.items()))

    def close(self) -> None:
        if self._open:
            self._open = False
            if not self._faults.dead:
                self._files.unlogged = 0
                self._files.holder = None
                self._files.undo.clear()


class SimStores:
    """The state directory as one process sees it."""

    def __init__(self, disk: Disk, process: SimProcess) -> None:
        self._disk = disk
        self._process = process

    def open(self, partition: int) -> SimStore:
        fault = self._process.faults.draw(f"stores.open {partition}")
        files = self._disk.files(partition)
        if files.holder is not None or fault == FAIL:
            raise StoreLocked(f"simulated: partition {partition} is open in another process")
        if fault == UNKNOWN and self._process.faults.rng.random() < CORRUPT:
            files.corrupt = True
        if files.corrupt:
            raise CorruptStore(f"simulated: Corruption: partition {partition}")
        files.holder = self._process
        self._process.faults.settle(fault, "stores.open")
        return SimStore(files, self._process, partition)

    def clear(self, partition: int) -> None:
        fault = self._process.faults.draw(f"stores.clear {partition}")
        files = self._disk.files(partition)
        if files.holder is not None:
            raise StoreLocked(f"simulated: partition {partition} was opened by another process meanwhile")
        self._disk.partitions[partition] = Files()
        self._process.faults.settle(fault, "stores.clear")
