"""The partitions that one reader follows, from their opening to their closing."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import Future
from pathlib import Path
from typing import NamedTuple, Protocol

from confluent_kafka import KafkaException

from ...errors import Configuration, Connection, TopicMismatch
from ...kafka.admin import Admin
from ...kafka.cluster import Cluster
from ...kafka.failures import as_state_error
from ...kafka.interface import LogRange
from ...kafka.problems import create_command
from ...kafka.topic_settings import DAY_MS
from ...store.interface import Store
from ..read import partitions_of
from .checkpoints import CheckpointFeed, CheckpointId
from .feeds import Listener as StateListener
from .feeds import Place, StateFeed, TableFeed
from .followed import Followed
from .follower import Follower
from .life import Life, fulfil
from .outputs import OutputFeed
from .rejections import Found, RejectionFeed
from .run import Run, RunReader
from .tables import Tables
from .values import ValueCache


class Progress(NamedTuple):
    """Of the first reading.

    records: offsets read so far. remaining: those still to come; at most as many are records.
    """

    records: int
    remaining: int


class Listener(StateListener, Protocol):
    """Called under the reader's lock."""

    def rejected(self, partition: int, found: Found) -> None: ...


class Following(Followed):
    """Feeds of state partitions, of checkpoint partitions where they are followed, and of rejections that are waited for.

    Raises TopicMismatch, Connection, StateDirectory and Configuration.
    """

    def __init__(
        self,
        cluster: Cluster,
        life: Life,
        reader: RunReader,
        checkpoint_id: CheckpointId,
        follower: Follower,
        *,
        partitions: Collection[int] | None,
        directory: Path | None,
        checkpoints: bool,
    ) -> None:
        super().__init__(len(partitions_of(cluster.admin, cluster.topics.state)))
        self._cluster = cluster
        self._life = life
        self._reader = reader
        self._checkpoint_id = checkpoint_id
        self._follower = follower
        self._on_rejected: Callable[[int, Found], None] = lambda _partition, _found: None
        self.partitions = _chosen(partitions, self.partition_count)
        self.rejections: dict[int, RejectionFeed] = {}
        self._goals: list[tuple[TableFeed, int, int]] = []
        self._waiting: list[Future[None]] = []
        self._tables: list[Tables] = []
        self._topic_ids: dict[str, str] = {}
        self._directory = directory
        self._output_tables: Tables | None = None
        try:
            self._open(checkpoints=checkpoints)
        except KafkaException as failure:
            self.close(damaged=False)
            raise as_state_error(failure, "reading the topics' offsets") from None
        except BaseException:
            self.close(damaged=False)
            raise

    def begin(self, listener: Listener) -> None:
        """Give the tables to the follower. The listener is told of everything from here on."""
        self._on_rejected = listener.rejected
        self.listen(listener)
        self._follower.add(self.feeds())

    def follow_rejections(self, partition: int, start: int) -> RejectionFeed:
        """From this offset of the rejections topic on."""
        place = Place(self._cluster.topics.rejections, partition)
        feed = RejectionFeed(place, start, self._life, self._on_rejected)
        self._follower.add([feed])
        with self._life.lock:
            self.rejections[partition] = feed
        return feed

    def open_outputs(self, partition: int, cache: ValueCache, follower: Follower) -> OutputFeed:
        """The index of that partition of the outputs topic, from now on. In one thread. Raises KafkaException too."""
        topic = self._cluster.topics.outputs
        if self._output_tables is None:
            self._output_tables = self._tables_of(topic)
        known = self._cluster.log_ranges(topic, [partition])[partition]
        store, positions = self._output_tables.open(partition, known, _load_nothing)
        feed = OutputFeed(Place(topic, partition), store, positions, self._life, cache, known.stable)
        with self._life.lock:
            self.outputs = {**self.outputs, partition: feed}
        follower.add([feed])
        return feed

    def missing(self) -> str | None:
        """A topic that is gone, or that another one has taken the place of; a consumer is not told that (tried).

        Raises Connection.
        """
        ids = dict(self._topic_ids)  # another thread adds the outputs topic, when the first value is asked for
        found = self._cluster.admin.topics(list(ids))
        for name, known in ids.items():
            topic = found[name]
            if topic is None or topic.topic_id != known:
                return name
        return None

    def note(self) -> None:
        """Write down how far the tables have come."""
        for feed in self.feeds():
            feed.note()

    def close(self, *, damaged: bool) -> None:
        for tables in self._tables:
            tables.close(damaged=damaged)

    # --- until all is read that was there at the start ----------------------------------------------------------------

    def progress(self) -> Progress:
        """Under the reader's lock."""
        read = sum(min(feed.position, goal) - start for feed, start, goal in self._goals)
        return Progress(read, sum(goal - start for _, start, goal in self._goals) - read)

    def when_ready(self) -> Future[None]:
        """Under the reader's lock."""
        future = self._life.future()
        self._waiting.append(future)
        self.moved()
        return future

    def moved(self) -> None:
        """Positions have; under the reader's lock."""
        if self._waiting and self.is_ready():
            for future in self._waiting:
                fulfil(future)
            self._waiting.clear()

    def is_ready(self) -> bool:
        return all(feed.position >= goal for feed, _, goal in self._goals)

    # --- opening ------------------------------------------------------------------------------------------------------

    def _open(self, *, checkpoints: bool) -> None:
        topics = self._cluster.topics
        tables, logs = self._prepare(topics.state)
        for partition, known in logs.items():
            loaded: list[Run] = []

            def load(partition: int, store: Store, loaded: list[Run] = loaded) -> None:
                loaded[:] = [self._reader.read(key, partition, -1, value) for key, value in store.items()]

            store, positions = tables.open(partition, known, load)
            for run in loaded:
                self.index.put(run)
            feed = StateFeed(Place(topics.state, partition), store, positions, self._life, self.index, self._reader)
            self.states[partition] = feed
            self._add_goal(feed, known)
        if not checkpoints:
            return
        tables, logs = self._prepare(topics.checkpoints)
        for partition, known in logs.items():
            store, positions = tables.open(partition, known, _load_nothing)
            place = Place(topics.checkpoints, partition)
            table = CheckpointFeed(place, store, positions, self._life, self._checkpoint_id)
            self.checkpoints[partition] = table
            self._add_goal(table, known)

    def _prepare(self, topic: str) -> tuple[Tables, dict[int, LogRange]]:
        return self._tables_of(topic), self._cluster.log_ranges(topic, self.partitions)

    def _tables_of(self, topic: str) -> Tables:
        admin = self._cluster.admin
        topic_id = _topic_id(admin, topic, self._cluster.topics.prefix)
        # another thread may be looking for what is missing
        self._topic_ids = {**self._topic_ids, topic: topic_id}
        tombstones_live_s = _tombstones_live_s(admin, topic) if self._directory else 0.0
        tables = Tables(self._directory, topic, (admin.cluster_id, topic_id), tombstones_live_s)
        self._tables.append(tables)
        return tables

    def _add_goal(self, feed: TableFeed, known: LogRange) -> None:
        self._goals.append((feed, min(feed.position, known.stable), known.stable))


def _load_nothing(_partition: int, _store: Store) -> None:
    """Of these tables nothing else is made."""


def _chosen(partitions: Collection[int] | None, count: int) -> list[int]:
    if partitions is None:
        return list(range(count))
    chosen = sorted(set(partitions))
    if not chosen or not 0 <= chosen[0] <= chosen[-1] < count:
        raise Configuration(
            f"partitions is {list(partitions)}; expected some of 0 to {count - 1}, which the topics have"
        )
    return chosen


def _topic_id(admin: Admin, topic: str, prefix: str) -> str:
    found = admin.topics([topic])[topic]
    if found is None:
        raise TopicMismatch(f"topic {topic} is missing; `{create_command(prefix)}` makes it")
    return found.topic_id


def _tombstones_live_s(admin: Admin, topic: str) -> float:
    """delete.retention.ms; where a reader has no right to ask for it, the least that a topic set may have."""
    try:
        return int(admin.topic_settings([topic])[topic]["delete.retention.ms"]) / 1000
    except Connection:
        return DAY_MS / 1000
