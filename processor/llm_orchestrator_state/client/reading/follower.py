"""The thread that follows the topics."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from ...errors import Connection, OffsetMismatch, StateError, TopicMismatch
from ...kafka import codes
from ...kafka.failures import as_state_error, is_refusal, one_line
from ...kafka.properties import READER, Properties
from .feeds import Feed, Place
from .life import Life

log = logging.getLogger(__name__)

FOLLOWER: Properties = READER | {
    # an answer with records is never waited for; ten empty ones a second cost 0.3 % of a core, a hundred 3 %
    "fetch.wait.max.ms": 100,
}

BATCH = 2_000
"""Records that are taken at a time: between two of them others get the lock."""

IDLE_S = 0.1
AWAITED_S = 0.005
"""How long to wait for a record; the second while a position is waited for, which trailing markers move without one."""

REGISTRY_RETRY_S = 0.5


class Follower:
    """Gives the records of each partition to its feed, in order.

    on_progress: called after positions have moved. is_awaited: whether somebody waits for a position. batch: records that
    are taken at a time.
    """

    def __init__(
        self,
        consumer: Consumer,
        life: Life,
        on_progress: Callable[[], None],
        is_awaited: Callable[[], bool],
        *,
        batch: int = BATCH,
    ) -> None:
        self._consumer = consumer
        self._life = life
        self._on_progress = on_progress
        self._is_awaited = is_awaited
        self._batch = batch
        self._feeds: dict[Place, Feed] = {}
        self._added: deque[Feed] = deque()

    def add(self, feeds: Sequence[Feed]) -> None:
        """From any thread. Each is read from its position on, soon."""
        self._added.extend(feeds)

    def run(self) -> None:
        try:
            while not self._life.ended.is_set():
                if self._added:
                    self._assign()
                messages = self._consumer.consume(1, AWAITED_S if self._is_awaited() else IDLE_S)
                if messages:
                    messages += self._consumer.consume(self._batch, 0)
                if self._take(messages):
                    self._on_progress()
        finally:
            self._consumer.close()

    def _assign(self) -> None:
        """In this thread: called while another one is in consume(), it does not return (tried, librdkafka 2.16)."""
        added = [self._added.popleft() for _ in range(len(self._added))]
        self._feeds |= {feed.place: feed for feed in added}
        self._consumer.incremental_assign([TopicPartition(*feed.place, feed.position) for feed in added])

    def _take(self, messages: list[Any]) -> bool:
        """Whether a position has moved."""
        feeds = self._feeds
        arrived: dict[Place, list[Any]] = {}
        for message in messages:
            if error := message.error():
                raise_if_lasting(error)
                log.warning("following %s: %s", message.topic(), one_line(error))
                continue
            arrived.setdefault(Place(message.topic(), message.partition()), []).append(message)
        moved = False
        # the positions pass what never arrives: markers, and what was aborted
        for found in self._consumer.position([TopicPartition(*place) for place in feeds]):
            feed = feeds[Place(found.topic, found.partition)]
            taken = arrived.get(feed.place, [])
            position = max(feed.position, found.offset, taken[-1].offset() + 1 if taken else 0)
            if position > feed.position:
                self._give(feed, taken, position)
                moved = True
        return moved

    def _give(self, feed: Feed, messages: list[Any], position: int) -> None:
        told = False
        while not self._life.ended.is_set():
            try:
                feed.take(messages, position)
            except Connection as error:  # a schema registry that does not answer is waited for
                if not told:
                    log.warning("%s; waiting", error)
                    told = True
                self._life.ended.wait(REGISTRY_RETRY_S)
            else:
                return


def raise_if_lasting(error: KafkaError) -> None:
    """Outages pass, and lag() tells of them. What does not pass would leave the reader silently behind."""
    raise_for: dict[int, StateError] = {
        codes.AUTO_OFFSET_RESET: OffsetMismatch(
            f"the reader's position is not in its topic any more ({one_line(error)}): the topic was made anew, or has lost "
            "records; make the reader again"
        ),
        KafkaError.UNKNOWN_TOPIC_OR_PART: TopicMismatch(
            f"a topic that was followed is gone ({one_line(error)}); correct the topic set, and make the reader again"
        ),
    }
    if error.code() in raise_for:
        raise raise_for[error.code()]
    if is_refusal(error) or error.fatal():
        raise as_state_error(KafkaException(error), "following the topics")
