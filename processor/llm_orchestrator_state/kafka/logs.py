"""librdkafka's log lines, as records of Python's logging."""

from __future__ import annotations

import logging
import re
import time

from confluent_kafka import KafkaError

logger = logging.getLogger(__name__)

_ELAPSED = re.compile(r"\(after \d+ms in state.*|\S+#(?:producer|consumer)-\d+")
REPEAT_AFTER_S = 30.0
"""An unreachable broker is retried every 50 ms, and librdkafka logs each attempt."""
REMEMBERED = 100
"""Distinct lines that the filter keeps in mind."""


class QuietFilter(logging.Filter):
    """Drops what says nothing new: a line repeated within 30 s, and properties meant for the other kind of client.

    Pass-through properties go to producers and consumers alike, and librdkafka warns about each that it does not use.
    """

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        line = record.getMessage()
        if line.startswith("CONFWARN") and "will be ignored by this" in line:
            return False
        line = _ELAPSED.sub("", line)
        now = time.monotonic()
        if now - self._last.get(line, float("-inf")) < REPEAT_AFTER_S:
            return False
        if len(self._last) >= REMEMBERED:
            self._last.clear()
        self._last[line] = now
        return True


logger.addFilter(QuietFilter())


def log_error(error: KafkaError) -> None:
    """The ``error_cb`` of every client. librdkafka logs it as well, and the call that it concerns fails by itself."""
    logger.debug("%s: %s", error.name(), error.str())
