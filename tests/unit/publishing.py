"""A transport that delivers when it is told to."""

from __future__ import annotations

from collections import deque
from threading import Event

from confluent_kafka import KafkaError

from llm_orchestrator_state.client.transport import Headers, OnDelivery


class Position:
    def __init__(self, offset: int) -> None:
        self._offset = offset

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self._offset


class Script:
    """Holds events until go is set; then each poll delivers all of them, or fails them with the code."""

    topic = "events"

    def __init__(self, room: int = 1_000, *, held: bool = False, code: int | None = None) -> None:
        self.room = room
        self.code = code
        self.go = Event()
        if not held:
            self.go.set()
        self.sent: list[tuple[bytes, bytes, Headers | None]] = []
        self.refused = 0
        self.closed = False
        self._queue: deque[tuple[int, OnDelivery]] = deque()

    def send(self, key: bytes, value: bytes, headers: Headers | None, on_delivery: OnDelivery) -> bool:
        if len(self._queue) >= self.room:
            self.refused += 1
            return False
        self._queue.append((len(self.sent), on_delivery))
        self.sent.append((key, value, headers))
        return True

    def poll(self, timeout_s: float) -> int:
        return self._tell(self.code) if self.go.wait(timeout_s) else 0

    def pending(self) -> int:
        return len(self._queue)

    def close(self) -> None:
        self.closed = True
        self._tell(KafkaError._PURGE_QUEUE)

    def _tell(self, code: int | None) -> int:
        told = 0
        while self._queue:
            offset, on_delivery = self._queue.popleft()
            on_delivery(None if code is None else KafkaError(code), Position(offset))
            told += 1
        return told
