from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

import pytest
from confluent_kafka import TopicPartition

from llm_orchestrator_state.errors import Connection
from llm_orchestrator_state.kafka.interface import LogReader
from llm_orchestrator_state.kafka.scan import scan

WAIT_S = 0.5


class Record:
    def __init__(self, offset: int) -> None:
        self._offset = offset

    def error(self) -> None:
        return None

    def offset(self) -> int:
        return self._offset


class Reader:
    """A log of which each consume() gives the next part; what is no list is where the position moves without records."""

    def __init__(self, parts: Iterable[list[int] | int]) -> None:
        self.parts = iter(parts)
        self.at = 0
        self.now = 0.0

    def assign(self, partitions: list[TopicPartition]) -> None:
        self.at = partitions[0].offset

    def consume(self, number: int, wait_s: float) -> list[Any]:
        self.now += WAIT_S
        part = next(self.parts, [])
        if isinstance(part, int):
            self.at = part
            return []
        self.at = max([self.at, *(offset + 1 for offset in part)])
        return [Record(offset) for offset in part]

    def position(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        return [TopicPartition("t", 0, self.at)]


def offsets(reader: Reader, end: int, processing_s: float = 0.0) -> list[int]:
    found = []
    scanned = scan(cast(LogReader, reader), "t", 0, 0, end, stalled_s=3.0, monotonic=lambda: reader.now)
    for batch, _ in scanned:
        found += [message.offset() for message in batch]
        reader.now += processing_s
    return found


def test_a_scan_ends_where_only_control_records_are_left() -> None:
    assert offsets(Reader([[0, 1], [], [3], 6]), end=6) == [0, 1, 3]


def test_records_from_the_end_on_are_left_out() -> None:
    assert offsets(Reader([[0, 1, 2, 3]]), end=2) == [0, 1]


def test_a_log_whose_position_stays_is_given_up() -> None:
    reader = Reader([[0], [1]])
    with pytest.raises(Connection, match=r"t\[0\] could not be read beyond 2 of 9"):
        offsets(reader, end=9)
    assert reader.now == 9 * WAIT_S  # two that brought something, and more than three seconds without


def test_a_log_that_moves_slowly_is_read_to_its_end() -> None:
    nothing: list[list[int]] = [[]] * 5
    assert offsets(Reader([*nothing, [0], *nothing, 2, *nothing, [2]]), end=3) == [0, 2]


def test_the_time_that_a_caller_takes_for_a_batch_is_no_stall() -> None:
    assert offsets(Reader([[0], [], [], [1], []]), end=2, processing_s=100.0) == [0, 1]
