"""From an assigned partition to a task that may process it.

The order matters: the group's offset must be stable and no dead owner's transaction open before the end of the state
topic is taken; the store must have read up to that end before the first record is judged.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from typing import NamedTuple

from ..errors import Connection, CorruptStore, OffsetMismatch, StoreLocked
from ..kafka.headers import source_offset
from ..kafka.interface import GroupOffset, Kafka, LogRange, LogReader
from ..kafka.scan import STALLED_S, scan
from ..store.interface import Positions, Store, Stores
from .clock import Clock
from .config import WorkerConfig
from .contexts import Contexts
from .restoring import Restoring
from .transaction import settle

log = logging.getLogger(__name__)

BROKER_SCAN_S = 10.0
"""The broker looks for timed-out transactions this often (transaction.abort.timed.out.transaction.cleanup.interval.ms)."""

RETRY_S = 0.1

NEW_LEADER_S = 10.0
"""Within which a new leader knows its log's end again: its high watermark follows the first fetches (KIP-101)."""

CLOCKS_DIFFER_S = 300.0
"""By more than this no two clocks do that are kept right; it is no part of half the life of a tombstone worth to mention."""


class Recovered(NamedTuple):
    """A store that is level with the state topic, and where its partition goes on.

    position: the first event to judge. restored: state records that were read.
    """

    store: Store
    position: int
    positions: Positions
    restored: int


Wait = Generator[float, None, Recovered]
"""Yields the seconds for which there is nothing to do; 0: go on at once."""


class Recovery:
    """One worker's way of opening partitions. Nothing is shared between partitions, so none waits for another."""

    def __init__(self, kafka: Kafka, stores: Stores, clock: Clock, config: WorkerConfig) -> None:
        self._kafka = kafka
        self._stores = stores
        self._clock = clock
        self._config = config
        topics = config.topics
        self._outputs = (topics.state, topics.checkpoints, topics.outputs, topics.rejections)
        self.restoring: dict[int, Restoring] = {}
        """The partitions whose states are being read, and how far they are."""

    def open(self, partition: int, *, damaged: bool = False) -> Wait:
        """damaged: what is there now is not to be used.

        Raises OffsetMismatch, StateDirectory, errors.Connection, KafkaException; the store is closed then.
        """
        if damaged:
            self._stores.clear(partition)
        store = yield from self._open_store(partition)
        try:
            committed = yield from self._settled(partition)
            state_log = yield from self._state_log(partition, store.positions())
            if state_log.end == 0 and committed.offset:
                self._refuse_lost_states(partition, committed.offset)
            store, positions = yield from self._usable(partition, store, state_log, committed)
            contexts = Contexts(self._kafka, self._clock, self._config, partition, store, positions)
            positions, restored = yield from self._catch_up(partition, store, positions, state_log, contexts)
            positions = yield from contexts.level(positions)
            position = self._where_to_go_on(partition, positions, committed)
        except BaseException:
            store.close()
            raise
        return Recovered(store, position, positions._replace(input=position, level_at=self._clock.time()), restored)

    def _open_store(self, partition: int) -> Generator[float, None, Store]:
        told = False
        while True:
            try:
                return self._stores.open(partition)
            except CorruptStore as error:
                log.error("%s", error)
                self._stores.clear(partition)
            except StoreLocked as error:
                # the last owner on this host has not let go yet
                if not told:
                    log.warning("%s; waiting", error)
                    told = True
                yield RETRY_S

    # --- the dead owner's transaction ---------------------------------------------------------------------------------

    def _settled(self, partition: int) -> Generator[float, None, GroupOffset]:
        """The group's offset, when no transaction of an earlier owner can change anything any more."""
        deadline = self._clock.monotonic() + self._config.transaction_timeout_s + 2 * BROKER_SCAN_S
        fenced: set[str] = set()
        while True:
            offset = self._kafka.group_offsets([partition])[partition]
            if not offset.pending and not self._output_is_open(partition):
                return offset
            owner = offset.owner
            if owner and owner not in fenced and owner not in self._kafka.live_transactional_ids():
                log.warning("partition %d: ending the transaction that %s left open", partition, owner)
                settle(self._kafka, owner, self._clock)
                fenced.add(owner)
                continue
            if self._clock.monotonic() > deadline:
                raise Connection(
                    f"partition {partition}: a transaction stays open beyond its time-out; "
                    "is a producer that is no worker writing to the output topics?"
                )
            yield RETRY_S

    def _output_is_open(self, partition: int) -> bool:
        ranges = (self._kafka.log_ranges(topic, [partition])[partition] for topic in self._outputs)
        return any(log_range.stable < log_range.end for log_range in ranges)

    # --- the state topic ----------------------------------------------------------------------------------------------

    def _state_log(self, partition: int, positions: Positions | None) -> Generator[float, None, LogRange]:
        """The state topic's range, which has all that the store has read.

        A new leader may tell too early an end for a moment. One that stays short has lost records, and going cold would
        put what is left in place of what may be the only copy.
        """
        topic = self._config.topics.state
        deadline = self._clock.monotonic() + NEW_LEADER_S
        while True:
            found = self._kafka.log_ranges(topic, [partition])[partition]
            if positions is None or positions.state <= found.end:
                return found
            if self._clock.monotonic() > deadline:
                raise OffsetMismatch(
                    f"{topic}[{partition}] ends at {found.end}, and the store has read it up to {positions.state}: the "
                    "topic has lost records, or was made anew; rebuild the states from the event log into a new topic "
                    "set (rebuild --into), or remove the store to go on with what the topic has"
                )
            yield RETRY_S

    def _refuse_lost_states(self, partition: int, committed: int) -> None:
        """Of a state topic that never had a record, though events were judged: that is right only while they were rejected.

        Ends count aborted records too, so a rejections topic at 0 proves that none was.
        """
        topics = self._config.topics
        if committed <= self._kafka.log_ranges(topics.events, [partition])[partition].start:
            return  # it was claimed; whether anything was judged cannot be told
        if self._kafka.log_ranges(topics.rejections, [partition])[partition].end == 0:
            raise OffsetMismatch(
                f"{topics.state}[{partition}] is empty, and events were applied: the topic has lost its records, or was made "
                "anew; rebuild the states from the event log into a new topic set (rebuild --into)"
            )

    def _usable(
        self, partition: int, store: Store, state_log: LogRange, committed: GroupOffset
    ) -> Generator[float, None, tuple[Store, Positions]]:
        positions = store.positions()
        if state_log.start > 0:
            # compaction never moves a log's start
            log.warning(
                "%s[%d] begins at %d: records were deleted from it; `verify` names the runs that it lacks now",
                self._config.topics.state, partition, state_log.start,
            )  # fmt: skip
        if positions is not None:
            reason = self._why_cold(positions)
            if reason is None:
                self._refuse_deleted_states(partition, positions, state_log)
                if not _is_ahead(positions, committed):
                    return store, positions
                # of events that may all have been rejected, before the group lost its offset: the state topic tells
                reason = f"it goes up to event {positions.input}, and the group's offset is {committed.offset}"
            log.warning("partition %d: restoring from the start, because %s", partition, reason)
            store.close()
            self._stores.clear(partition)
            store = yield from self._open_store(partition)
        # it has no state, and so all that its states need of the outputs topic
        return store, Positions(None, state_log.start, self._clock.time(), outputs=0)

    def _refuse_deleted_states(self, partition: int, positions: Positions, state_log: LogRange) -> None:
        """Going cold would put what the topic has left in place of what may be the only copy."""
        if positions.state < state_log.start:
            raise OffsetMismatch(
                f"{self._config.topics.state}[{partition}] begins at {state_log.start}, and the store has read it up to "
                f"{positions.state}: records were deleted from it, which compaction never does; rebuild the states from the "
                "event log into a new topic set (rebuild --into), or remove the store to go on with what the topic has"
            )

    def _why_cold(self, positions: Positions) -> str | None:
        away = self._clock.time() - positions.level_at
        if away < -CLOCKS_DIFFER_S:
            return f"the store's age is not known: by this clock it was last level in {-away / 3600:.1f} h"
        if away > self._config.tombstones_live_s / 2:
            # a tombstone may have been compacted away meanwhile, and a deleted run would live on
            return f"the store was last level with the state topic {away / 3600:.0f} h ago"
        return None

    def _catch_up(
        self, partition: int, store: Store, positions: Positions, state_log: LogRange, contexts: Contexts
    ) -> Generator[float, None, tuple[Positions, int]]:
        """The positions at the state topic's end, and the number of records read up to it."""
        restored = 0
        if positions.state >= state_log.end:
            return positions, restored
        known = positions.input
        last_run: bytes | None = None
        told = self.restoring[partition] = Restoring(self._clock, partition, positions.state, state_log.end)
        reader = self._kafka.reader()
        try:
            patience = self._config.transaction_timeout_s + 2 * BROKER_SCAN_S
            deadline = self._clock.monotonic() + patience
            for messages, position in scan(
                reader, self._config.topics.state, partition, positions.state, state_log.end
            ):
                # a record that was made by a rebuild names no event
                sources = [source_offset(message.headers()) for message in messages]
                greatest = max(sources, default=-1)
                if greatest >= (known or 0):
                    known, last_run = greatest + 1, messages[sources.index(greatest)].key()
                restored += len(messages)
                told.at(position)
                if position > positions.state:
                    deadline = self._clock.monotonic() + patience
                    positions = Positions(known, position, positions.level_at, contexts.known_to)
                    unneeded = contexts.restored(messages)
                    # read again after a crash, like what an earlier one had not flushed: a sixth less time per record
                    states = ((m.key() or b"", m.value()) for m in messages)
                    store.write(states, positions, unneeded.items(), logged=False)
                elif self._clock.monotonic() > deadline:
                    raise Connection(
                        f"partition {partition}: the state topic could be read up to {position} and not to its end "
                        f"{state_log.end}; it is tried again"
                    )
                yield 0.0
            store.flush()
            if last_run is not None and known is not None:
                yield from self._refuse_other_events(partition, known - 1, last_run, reader)
        finally:
            reader.close()
            del self.restoring[partition]
        return positions, restored

    def _refuse_other_events(
        self, partition: int, offset: int, run: bytes, reader: LogReader
    ) -> Generator[float, None, None]:
        """An event log that was made anew may have become longer than the old one: then offsets alone do not tell.

        run: whose event the state topic says is there.
        """
        topic = self._config.topics.events
        events = self._kafka.log_ranges(topic, [partition])[partition]
        if not events.start <= offset < events.end:
            return  # trimmed, or too short: the offsets tell
        for messages, _ in scan(
            reader, topic, partition, offset, offset + 1, 0.02, stalled_s=STALLED_S, monotonic=self._clock.monotonic
        ):
            if any(message.key() == run for message in messages):
                return
            yield 0.0
        raise OffsetMismatch(
            f"{topic}[{partition}]: the states know an event of run {run.decode(errors='replace')} at {offset}, and the log "
            "has another one there: the topic was made anew; make a new topic set under another prefix, and publish into "
            "that"
        )

    # --- where to go on -----------------------------------------------------------------------------------------------

    def _where_to_go_on(self, partition: int, positions: Positions, committed: GroupOffset) -> int:
        topic = self._config.topics.events
        events = self._kafka.log_ranges(topic, [partition])[partition]
        where, known = committed.offset, positions.input
        if _is_ahead(positions, committed):
            self._retry_if_moved(partition, committed)
            raise OffsetMismatch(
                f"{topic}[{partition}]: the group's offset is {where}, and the states know of events before {known}: "
                "somebody has set the group back; set it to the log's position again, or rebuild into a new topic set"
            )
        if where is None:
            where = events.start if known is None else known
            if known is not None:
                log.warning(
                    "%s[%d]: the group has no offset; going on at %d, behind the last event that a state knows "
                    "(rejections after it may be repeated)", topic, partition, where,
                )  # fmt: skip
        if not events.start <= where <= events.end:
            self._retry_if_moved(partition, committed)
            raise OffsetMismatch(
                f"{topic}[{partition}]: the position is {where}, and the log has {events.start} to {events.end}: "
                "events were lost, or the topic was made anew; set the group's offset, or rebuild into a new topic set"
            )
        return where

    def _retry_if_moved(self, partition: int, committed: GroupOffset) -> None:
        """This process may have been stopped since it asked, and another worker gone on meanwhile."""
        if self._kafka.group_offsets([partition])[partition] != committed:
            raise Connection(f"partition {partition}: the group went on while it was opened")


def _is_ahead(positions: Positions, committed: GroupOffset) -> bool:
    known, where = positions.input, committed.offset
    return known is not None and where is not None and known > where
