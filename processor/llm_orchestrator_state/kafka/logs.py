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


_ABORTED = re.compile(r"TXNERR .*: Current transaction failed in state ")
_UNANSWERED = re.compile(r"REQTMOUT (.*): Timed out ListOffsetsRequest in flight \(after (\d+)ms,")
_ALL_UNANSWERED = re.compile(
    r"REQTMOUT (.*): Timed out (\d+) in-flight, 0 retry-queued, 0 out-queue, 0 partially-sent "
)
WAKE_UP_MS = 5_000
"""A question about offsets that was given up sooner was one of member.py's, which wait for no answer: the others wait for
10 s. librdkafka tells after up to a second."""
NAMED_AT_ONCE = 5
"""Unanswered requests that librdkafka names one by one before it tells their number."""


class QuietFilter(logging.Filter):
    """Drops what says nothing new: a line repeated within 30 s, properties meant for the other kind of client,
    unanswered requests that nobody waits for, and transactions that are aborted, of which the call that failed tells.

    Pass-through properties go to producers and consumers alike, and librdkafka warns about each that it does not use.
    """

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[str, float] = {}
        self._wake_ups: dict[str, int] = {}
        """By client and broker, those that were dropped since the last number."""

    def filter(self, record: logging.LogRecord) -> bool:
        line = record.getMessage()
        if line.startswith("CONFWARN") and "will be ignored by this" in line:
            return False
        if self._is_of_wake_ups(line) or _ABORTED.match(line):
            return False
        line = _ELAPSED.sub("", line)
        now = time.monotonic()
        if now - self._last.get(line, float("-inf")) < REPEAT_AFTER_S:
            return False
        if len(self._last) >= REMEMBERED:
            self._last.clear()
        self._last[line] = now
        return True

    def _is_of_wake_ups(self, line: str) -> bool:
        if (one := _UNANSWERED.match(line)) and int(one[2]) < WAKE_UP_MS:
            self._wake_ups[one[1]] = self._wake_ups.get(one[1], 0) + 1
            return True
        if number := _ALL_UNANSWERED.match(line):
            return self._wake_ups.pop(number[1], 0) == min(int(number[2]), NAMED_AT_ONCE)
        return False


logger.addFilter(QuietFilter())


def log_error(error: KafkaError) -> None:
    """The ``error_cb`` of every client. librdkafka logs it as well, and the call that it concerns fails by itself."""
    logger.debug("%s: %s", error.name(), error.str())
