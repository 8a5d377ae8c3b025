"""The states of each partition in a RocksDB database of its own: ``<state-dir>/<topic>/<partition>``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NoReturn, cast

import msgspec
from rocksdict import AccessType, DbClosedError, Options, Rdict, WriteBatch, WriteOptions

from ..errors import CorruptStore, ForeignStore, StateDirectory
from .directory import make_directory
from .interface import Positions
from .removal import move_aside, remove, remove_old
from .rocks_failures import as_state_error, is_vanished_file
from .rocks_options import Memory

FORMAT_VERSION = b"1"

READ_ONLY_TRIES = 20
"""Files are deleted a few times a second at most; two in a row were never met."""

TIDY_S = 3600.0
"""Between two flushes that nothing but time asks for; a database that is opened has none of its past in memory."""

_STATE = b"s/"
_CONTEXT = b"c/"
"""Before the states: items() goes from the first of these to the end."""
_POSITIONS = b"m/positions"
_FORMAT = b"m/format"
_IDENTITY = b"m/identity"

_UNLOGGED = WriteOptions()
_UNLOGGED.disable_wal = True  # type: ignore[assignment, method-assign] # a property, whatever its stub says

_decode_positions = msgspec.json.Decoder(Positions).decode


class RocksStore:
    """One partition's store; see interface.Store. Methods raise CorruptStore or StateDirectory.

    A write is in the write-ahead log when it returns, so it survives the process. A power cut can lose the last ones,
    with their positions: they are read again from the state topic.

    filled: opens the database as it is to be, once it need no longer be fast to fill and slow to read (Memory.options).
    """

    def __init__(
        self, path: Path, database: Rdict, damaged: set[Path], filled: Callable[[], Rdict] | None = None
    ) -> None:
        self._path = path
        self._database = database
        self._damaged = damaged
        self._filled = filled
        self._tidy_at: float | None = None
        """Unix time (s); None before the first write."""

    def positions(self) -> Positions | None:
        value = self._get(_POSITIONS)
        return None if value is None else _decode_positions(value)

    def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        self._end_filling()
        try:
            found = self._database.get([_STATE + key for key in keys])
        except Exception as error:  # noqa: BLE001 - rocksdict has no class of its own for RocksDB's errors
            self._failed(error)
        return cast(list[bytes | None], found)

    def context(self, key: bytes) -> bytes | None:
        self._end_filling()
        return self._get(_CONTEXT + key)

    def write(
        self,
        changes: Iterable[tuple[bytes, bytes | None]],
        positions: Positions,
        contexts: Iterable[tuple[bytes, bytes | None]] = (),
        *,
        logged: bool = True,
    ) -> None:
        if logged:
            self._end_filling()
        batch = WriteBatch(raw_mode=True)
        put, delete = batch.put, batch.delete
        for prefix, changed in ((_STATE, changes), (_CONTEXT, contexts)):
            for key, value in changed:
                if value is None:
                    delete(prefix + key)
                else:
                    put(prefix + key, value)
        put(_POSITIONS, msgspec.json.encode(positions))
        self._write(batch, None if logged else _UNLOGGED)
        if self._tidy_at is None:
            self._tidy_at = positions.level_at + TIDY_S
        elif positions.level_at >= self._tidy_at:
            self._tidy_at = positions.level_at + TIDY_S
            self._tidy()

    def _tidy(self) -> None:
        """What was deleted shall not stay: the log of writes goes with a flush, and one also makes RocksDB look for files
        that are old enough to be merged (see rocks_options.FORGET_S).
        """
        self.flush()
        remove_old(self._path)

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """In the order of the keys, as of the first one asked for."""
        self._end_filling()
        last = None
        for key, value in cast(Iterator[tuple[bytes, bytes]], self._database.items(from_key=_STATE)):
            last = key
            yield key[len(_STATE) :], value
        self._raise_if_cut_short(last)

    def _raise_if_cut_short(self, last: bytes | None) -> None:
        """At a block that cannot be read rocksdict's iterator stops as if that were the end (tried: half of the states
        missing, and no error). RocksDB tells when the same step is taken once more.
        """
        try:
            rest = self._database.iter()
            rest.seek(_STATE if last is None else last)
            if last is not None and rest.valid():
                rest.next()
            rest.status()
        except Exception as error:  # noqa: BLE001 - as in get_many()
            self._failed(error)

    def check(self, identity: bytes) -> None:
        """Raises ForeignStore, or StateDirectory for another version's format."""
        if (version := self._get(_FORMAT)) not in {None, FORMAT_VERSION}:
            raise StateDirectory(
                f"{self._path} has store format {version!r}, needed {FORMAT_VERSION!r}; use the version of "
                "llm-orchestrator-state that made it, or remove it: it is restored from the state topic"
            )
        if (found := self._get(_IDENTITY)) not in {None, identity}:
            raise ForeignStore(
                f"{self._path} belongs to cluster and topic {_shown(found)}, needed {_shown(identity)}; use another state "
                "directory, or remove that one if nobody needs it: states are restored from the state topic"
            )

    def own(self, identity: bytes) -> None:
        """Record whose it is, when it is new."""
        if self._get(_IDENTITY) is None:
            batch = WriteBatch(raw_mode=True)
            batch.put(_FORMAT, FORMAT_VERSION)
            batch.put(_IDENTITY, identity)
            self._write(batch)

    def close(self) -> None:
        """Harmless when it is closed already."""
        with suppress(DbClosedError):
            self._database.close()

    def _get(self, key: bytes) -> bytes | None:
        try:
            value: bytes | None = self._database.get(key)
        except Exception as error:  # noqa: BLE001 - as in get_many()
            self._failed(error)
        return value

    def flush(self) -> None:
        try:
            self._database.flush()
        except Exception as error:  # noqa: BLE001 - as in get_many()
            self._failed(error)
        self._end_filling()

    def _end_filling(self) -> None:
        """Before the first read, and before the first write into RocksDB's log."""
        if self._filled:
            self._database.close()
            self._database = self._filled()
            self._filled = None

    def _write(self, batch: WriteBatch, how: WriteOptions | None = None) -> None:
        try:
            self._database.write(batch, how)
        except Exception as error:  # noqa: BLE001 - as in get_many()
            self._failed(error)

    def _failed(self, error: Exception) -> NoReturn:
        if isinstance(error, DbClosedError):
            raise error
        failure = as_state_error(error, self._path)
        if isinstance(failure, CorruptStore):
            self._damaged.add(self._path)
        raise failure from None


def _shown(identity: bytes | None) -> str:
    return (identity or b"").decode(errors="replace")


class RocksStores:
    """The stores of one topic's partitions; see interface.Stores.

    identity: cluster id, topic id, and what else sets these stores apart; a store that was made for others is refused.
    memory: what all databases of the process share.
    """

    def __init__(self, state_dir: Path, topic: str, identity: tuple[str, ...], memory: Memory | None = None) -> None:
        self._directory = state_dir / topic
        self._identity = msgspec.json.encode(identity)
        self._memory = memory or Memory()
        self._damaged: set[Path] = set()

    def path(self, partition: int) -> Path:
        return self._directory / str(partition)

    def open(self, partition: int) -> RocksStore:
        """Made where there is none."""
        make_directory(self._directory)
        self._refuse_foreign(partition)
        # RocksDB would make it as the umask says
        path = make_directory(self.path(partition))
        filled = None if _is_there(path) else partial(self._opened, path)
        store = RocksStore(path, self._opened(path, filling=filled is not None), self._damaged, filled)
        try:
            store.check(self._identity)
            store.own(self._identity)
        except StateDirectory:
            store.close()
            raise
        return store

    def open_read_only(self, partition: int) -> RocksStore | None:
        """As of now, also while a worker has it open; None where there is none. Its write() raises StateDirectory."""
        path = self.path(partition)
        if not _is_there(path):
            return None
        store = self._opened_while_written(path)
        try:
            store.check(self._identity)
        except StateDirectory:
            store.close()
            raise
        return store

    def _opened_while_written(self, path: Path) -> RocksStore:
        """The one who writes may delete a file between its being listed here and its being opened."""
        for _ in range(READ_ONLY_TRIES):
            try:
                return self._opened_read_only(path)
            except StateDirectory as error:
                if not is_vanished_file(error):
                    raise
        return self._opened_read_only(path)

    def clear(self, partition: int) -> None:
        """A damaged store is moved aside, another one removed. Raises StoreLocked, StateDirectory."""
        path = self.path(partition)
        if path in self._damaged:
            move_aside(path)
            self._damaged.discard(path)
        else:
            remove(path)

    def _refuse_foreign(self, partition: int) -> None:
        """Opening for writing already rewrites files: whose they are is asked before that."""
        try:
            store = self.open_read_only(partition)
        except ForeignStore:
            raise
        except StateDirectory:
            return  # opening for writing tells it again, and knows better whether it is locked
        if store:
            store.close()

    def _opened_read_only(self, path: Path) -> RocksStore:
        options, access = self._memory.options(read_only=True), AccessType.read_only(error_if_log_file_exist=False)
        try:
            database = _database(path, options, access)
        except Exception as error:  # noqa: BLE001 - as in get_many()
            raise as_state_error(error, path) from None
        return RocksStore(path, database, self._damaged)

    def _opened(self, path: Path, *, filling: bool = False) -> Rdict:
        try:
            database = _database(path, self._memory.options(filling=filling), AccessType.read_write())
        except Exception as error:  # noqa: BLE001 - as in get_many()
            failure = as_state_error(error, path)
            if isinstance(failure, CorruptStore):
                self._damaged.add(path)
            raise failure from None
        database.set_options(self._memory.later_options())
        return database


def _is_there(path: Path) -> bool:
    return (path / "CURRENT").exists()


def _database(path: Path, options: Options, access: AccessType) -> Rdict:
    # without naming the column family again its table options would silently be the defaults
    families = {"default": options} if _is_there(path) else None
    return Rdict(str(path), options=options, column_families=families, access_type=access)
