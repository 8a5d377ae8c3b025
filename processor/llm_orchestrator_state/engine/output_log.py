"""What a partition's task has for the outputs topic, and for the contexts in its store, between two commits."""

from __future__ import annotations

from functools import partial

from ..errors import CorruptStore
from ..model.placement import Placement, Written
from ..store.interface import Store
from ..wire.codec import KeptState
from .outputs import Record, output_key


class OutputLog:
    """limit: bytes inline in a state. store: has the contexts that are out, as of the last commit."""

    def __init__(self, limit: int, store: Store) -> None:
        self._limit = limit
        self._store = store
        self._records: dict[bytes, bytes | None] = {}
        self.contexts: dict[bytes, bytes | None] = {}
        """For the store; by the outputs topic's keys, as all that is here."""
        self._in_transaction: dict[bytes, bytes | None] = {}
        """Those of the transaction that is under way."""

    def placement(self, key: bytes, run: KeptState | None) -> Placement:
        """Of the run with this key; a new one begins with nothing known."""
        if run is None:
            return self._fresh(key)
        if run.placement is None:
            run.placement = self._fresh(key)
        return run.placement

    def trial(self, key: bytes) -> tuple[Placement, list[Written]]:
        """One that writes nothing, for an event that may be rejected; and what it would have written."""
        written: list[Written] = []
        return Placement(self._limit, partial(self._context, key), written.append), written

    def _fresh(self, key: bytes) -> Placement:
        return Placement(self._limit, partial(self._context, key), partial(self._write, key))

    def _write(self, key: bytes, written: Written) -> None:
        name = output_key(key, written.n)
        self._records[name] = written.value
        if written.of_context:
            self.contexts[name] = written.value

    def records(self) -> list[Record]:
        return [Record(key, value, []) for key, value in self._records.items()]

    def seal(self) -> None:
        """What was written is in a transaction."""
        self._in_transaction, self.contexts = self.contexts, {}
        self._records.clear()

    def commit(self) -> None:
        """What was sealed is in the store."""
        self._in_transaction = {}

    def rollback(self) -> None:
        """Forget what is not committed."""
        self._in_transaction = {}
        self.contexts.clear()
        self._records.clear()

    def _context(self, key: bytes, n: int) -> str:
        name = output_key(key, n)
        for uncommitted in (self.contexts, self._in_transaction):
            if name in uncommitted:
                value = uncommitted[name]
                break
        else:
            value = self._store.context(name)
        if value is None:
            # the state was read from the same store: it is restored, with its contexts from the outputs topic
            raise CorruptStore(f"the store does not have the context {name.decode()}, which a state refers to")
        return value.decode()
