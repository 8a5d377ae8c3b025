"""The thread that asks the brokers what the records do not tell: where topics end, and how far the group has come."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from concurrent.futures import Future
from typing import NamedTuple, Protocol

from confluent_kafka import KafkaException

from ...errors import Connection, TopicMismatch
from ...kafka.cluster import Cluster
from ...kafka.failures import as_state_error, is_refusal
from .ends import Ends
from .feeds import Feed, Place, TableFeed
from .life import Life, fulfil, refuse
from .rejections import RejectionFeed, look_back
from .settling import Settling, Wait

log = logging.getLogger(__name__)

SILENT_S = 0.02
"""A state follows its event within some 10 ms; after this the group is asked, for a duplicate leaves no other trace."""

ASK_AGAIN_S = 0.05
"""Between two questions about the same, and after one that was not answered."""

REFUSED_S = 1.0
"""How long an event's own trace is waited for when the group may not be asked."""

GONE_S = 2.0
"""A broker that has just started may not know every topic yet."""

LEVEL_S = 10.0
"""How often it is asked whether the tables are level with their topics."""


class Feeds(Protocol):
    """What is followed; changed under the reader's lock."""

    @property
    def states(self) -> Mapping[int, TableFeed]: ...
    @property
    def checkpoints(self) -> Mapping[int, TableFeed]: ...
    @property
    def outputs(self) -> Mapping[int, TableFeed]: ...
    @property
    def rejections(self) -> Mapping[int, RejectionFeed]: ...

    def missing(self) -> str | None: ...
    def follow_rejections(self, partition: int, start: int) -> RejectionFeed: ...


class Lag(NamedTuple):
    """How far a reader is behind its topics.

    records: committed offsets not yet read (at least as many as records); None where no broker answered.
    level_at: Unix time in seconds: nothing that was committed before it is missing.
    """

    records: int | None
    level_at: float


class Asker:
    """Asks for the waits of ``settling`` as soon as there is something to ask, and now and then whether all is read."""

    def __init__(self, cluster: Cluster, life: Life, feeds: Feeds, settling: Settling) -> None:
        self._cluster = cluster
        self._life = life
        self._feeds = feeds
        self._settling = settling
        self._level_at = time.monotonic()
        self._group_at = 0.0
        self._lag_asked: list[Future[Lag]] = []
        self._missing_since: float | None = None
        life.listen(settling.work.set)

    def lag(self) -> Future[Lag]:
        """Fails only with the reader; while no broker answers, it takes until they do."""
        with self._life.lock:
            asked = self._life.future()
            self._lag_asked.append(asked)
        self._settling.work.set()
        return asked

    def level_at(self) -> float:
        """See Lag; as far as it has been asked for."""
        with self._life.lock:
            return min(feed.level_at for feed in self._tables())

    def run(self) -> None:
        ends = Ends(self._cluster)
        try:
            while True:
                self._settling.work.wait(SILENT_S if self._settling else LEVEL_S)
                self._settling.work.clear()
                if self._life.ended.is_set():
                    return
                try:
                    self._ask(ends)
                except (KafkaException, Connection) as failure:
                    self._not_answered(failure)
        finally:
            ends.close()

    def _ask(self, ends: Ends) -> None:
        self._place()
        self._confirm(ends)
        self._ask_group(ends)
        self._lag_asked = [asked for asked in self._lag_asked if not asked.done()]
        if self._lag_asked or self._missing_since or time.monotonic() - self._level_at >= LEVEL_S:
            self._level_at = time.monotonic()
            self._compare()

    def _not_answered(self, failure: KafkaException | Connection) -> None:
        """Outages are waited through; what is not allowed will not be."""
        if isinstance(failure, KafkaException) and is_refusal(failure.args[0]):
            with self._life.lock:
                self._settling.give_up(
                    self._settling.all(), as_state_error(failure, "asking what has become of an event")
                )
                asked, self._lag_asked = self._lag_asked, []
            for each in asked:
                refuse(each, as_state_error(failure, "asking where the topics end"))
            return
        log.debug("the brokers do not answer: %s", failure)
        self._life.ended.wait(ASK_AGAIN_S)
        self._settling.work.set()

    # --- waits --------------------------------------------------------------------------------------------------------

    def _place(self) -> None:
        with self._life.lock:
            unplaced = list(self._settling.unplaced)
        for partition in {wait.partition for wait in unplaced}:
            oldest = min(wait.offset for wait in unplaced if wait.partition == partition)
            rejections = self._rejections_back_to(partition, oldest)
            with self._life.lock:
                self._settling.place_all([wait for wait in unplaced if wait.partition == partition], rejections)
        if unplaced:
            self._settling.work.set()

    def _rejections_back_to(self, partition: int, offset: int) -> RejectionFeed:
        topic = self._cluster.topics.rejections
        known = self._cluster.log_ranges(topic, [partition])[partition]
        # what is not yet visible before the last stable offset will come; what is, is looked for below
        feed = self._feeds.rejections.get(partition) or self._feeds.follow_rejections(partition, known.stable)
        if not feed.knows(offset):
            end = feed.position
            found = look_back(self._cluster, feed.place, known, end, offset)
            with self._life.lock:
                feed.add_older(found, offset)
        return feed

    def _confirm(self, ends: Ends) -> None:
        with self._life.lock:
            waits = self._settling.to_confirm()
        if not waits:
            return
        asked: dict[Place, int] = {}
        needs = [(wait, self._needed(wait)) for wait in waits]
        for place in {feed.place for _, feeds in needs for feed in feeds}:
            asked[place] = ends.end(place)
        with self._life.lock:
            for wait, feeds in needs:
                wait.needs = [(feed, asked[feed.place]) for feed in feeds]
            self._settling.moved()

    def _needed(self, wait: Wait) -> list[Feed]:
        feeds: list[Feed] = [] if wait.judged == "by window" else [self._feeds.rejections[wait.partition]]
        if wait.checkpoints and wait.partition in self._feeds.checkpoints:
            feeds.append(self._feeds.checkpoints[wait.partition])
        if wait.judged == "by group":
            feeds.append(self._feeds.states[wait.partition])
        return feeds

    def _ask_group(self, ends: Ends) -> None:
        with self._life.lock:
            silent = self._settling.silent(SILENT_S)
        if not silent or time.monotonic() - self._group_at < ASK_AGAIN_S:
            return
        self._group_at = time.monotonic()
        try:
            committed = ends.committed({wait.partition for wait in silent})
        except KafkaException as failure:
            if not is_refusal(failure.args[0]):
                raise
            # a state or a rejection may still come
            with self._life.lock:
                why = as_state_error(failure, f"asking how far group {self._cluster.group} has come")
                self._settling.give_up(self._settling.silent(REFUSED_S), why)
            return
        with self._life.lock:
            for wait in silent:
                if wait.judged is None and committed.get(wait.partition, 0) > wait.offset:
                    wait.judged = "by group"
                    self._settling.work.set()

    # --- the tables ---------------------------------------------------------------------------------------------------

    def _tables(self) -> list[TableFeed]:
        return [*self._feeds.states.values(), *self._feeds.checkpoints.values()]

    def _raise_if_gone(self) -> None:
        missing = self._feeds.missing()
        if missing is None:
            self._missing_since = None
            return
        self._missing_since = self._missing_since or time.monotonic()
        if time.monotonic() - self._missing_since > GONE_S:
            raise TopicMismatch(
                f"topic {missing}, which was followed, is gone or was made anew; correct the topic set, and make the reader "
                "again"
            )
        raise Connection(f"a broker does not know topic {missing}")

    def _compare(self) -> None:
        self._raise_if_gone()
        tables = self._tables()
        feeds = [*tables, *self._feeds.outputs.values()]
        at = time.time()
        stable: dict[Place, int] = {}
        for topic in {feed.place.topic for feed in feeds}:
            partitions = [feed.place.partition for feed in feeds if feed.place.topic == topic]
            found = self._cluster.log_ranges(topic, partitions)
            stable |= {Place(topic, partition): known.stable for partition, known in found.items()}
        with self._life.lock:
            for feed in feeds:
                feed.seen_end(stable[feed.place], at)
            # a value that is not in the index yet is waited for, and is never told as missing
            behind = sum(max(0, stable[feed.place] - feed.position) for feed in tables)
            asked, self._lag_asked = self._lag_asked, []
        lag = Lag(behind, self.level_at())
        for each in asked:
            fulfil(each, lag)
