"""Whether a worker's topics are still there, and the same: Kafka's clients do not tell.

A consumer of a topic that was deleted hears nothing; of one that was made anew it goes on at the old position, over events
that were never judged, unless the new log is too short for that; a producer writes into the new one (all tried).
"""

from __future__ import annotations

from ..errors import OffsetMismatch, TopicMismatch
from ..kafka.interface import Kafka
from ..kafka.problems import create_command
from ..kafka.topics import TopicSet
from .clock import Clock

LOOK_S = 5.0
"""Between two looks: a tenth of a millisecond of work each."""

CONFIRM_S = 1.0
"""A broker that has just started may deny a topic for a moment: missing is what is missing twice."""


class SameTopics:
    """Those that were there at the first look()."""

    def __init__(self, kafka: Kafka, clock: Clock, topics: TopicSet) -> None:
        self._kafka = kafka
        self._clock = clock
        self._topics = topics
        self._known: dict[str, str] = {}
        self._missing: set[str] = set()
        self._look_at = clock.monotonic()

    def look(self) -> None:
        """Now and then. Raises TopicMismatch for a topic that is gone, OffsetMismatch for one that was made anew."""
        now = self._clock.monotonic()
        if now < self._look_at:
            return
        found = self._kafka.topic_ids()
        if found is None:
            return
        missing = {name for name, topic_id in found.items() if topic_id is None}
        for name in sorted(missing & self._missing):
            raise TopicMismatch(
                f"topic {name} is missing: it was deleted under a running worker, with what it held; "
                f"`{create_command(self._topics.prefix)}` makes it, empty; {self._way_out(name)}"
            )
        for name, topic_id in found.items():
            if topic_id is not None and self._known.setdefault(name, topic_id) != topic_id:
                raise OffsetMismatch(
                    f"topic {name} was deleted and made anew under a running worker, and what it held is lost; "
                    f"{self._way_out(name)}"
                )
        self._missing = missing
        self._look_at = now + (CONFIRM_S if missing else LOOK_S)

    def look_soon(self) -> None:
        """Something has failed that a missing topic would explain."""
        self._look_at = min(self._look_at, self._clock.monotonic() + CONFIRM_S)

    def _way_out(self, name: str) -> str:
        if name == self._topics.events:
            return "make a new topic set under another prefix, and publish into that"
        if name in {self._topics.state, self._topics.outputs}:
            return "rebuild the states from the event log into a new topic set (rebuild --into)"
        return "start the worker again to go on without, or rebuild into a new topic set (rebuild --into)"
