"""The order of a transaction's calls, which no invariant shows: a wrong one is only slow."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.simulation.schedule import run_schedule


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def test_offsets_are_sent_before_the_records_delivery_is_waited_for() -> None:
    calls: list[str] = []
    run_schedule(7, trace=calls.append)
    last: dict[str, str] = {}
    sent = 0
    for line in calls:
        words = line.split()
        if len(words) < 3 or words[2] not in {"produce", "flush", "send_offsets_to_transaction", "begin_transaction"}:
            continue
        process, call = words[1], words[2]
        if call == "send_offsets_to_transaction":
            assert last[process] != "flush"
            sent += 1
        last[process] = call
    assert sent > 5
