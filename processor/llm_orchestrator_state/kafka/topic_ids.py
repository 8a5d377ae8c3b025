"""What topics there are, asked without waiting for the answer: a worker does not stand still while a broker is away."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import Future

from confluent_kafka.admin import TopicDescription  # type: ignore[attr-defined] # the package has no __all__

from ..errors import Connection
from .admin import Admin, topic_of

log = logging.getLogger(__name__)


class TopicIds:
    """Of these topics."""

    def __init__(self, admin: Admin, names: Sequence[str]) -> None:
        self._admin = admin
        self._names = names
        self._asked: dict[str, Future[TopicDescription]] = {}

    def answer(self) -> dict[str, str | None] | None:
        """None where a topic does not exist. None altogether while nobody has answered: ask again."""
        if not self._asked:
            self._asked = self._admin.ask_for_topics(self._names)
        if not all(future.done() for future in self._asked.values()):
            return None
        asked, self._asked = self._asked, {}
        try:
            found = {name: topic_of(name, future) for name, future in asked.items()}
        except Connection as error:
            log.debug("%s", error)  # brokers that are away are told of by the calls that need them
            return None
        return {name: topic and topic.topic_id for name, topic in found.items()}
