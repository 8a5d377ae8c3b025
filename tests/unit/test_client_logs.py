from __future__ import annotations

import logging

import pytest

from llm_orchestrator_state.kafka.logs import QuietFilter

CLIENT = "REQTMOUT [rdkafka#consumer-1] [thrd:127.0.0.1:9092/0]: 127.0.0.1:9092/0: Timed out "
OTHER = CLIENT.replace("consumer-1", "consumer-2")


def shown(*lines: str) -> list[str]:
    quiet = QuietFilter()
    records = [logging.LogRecord("", logging.INFO, "", 0, "%s", (line,), None) for line in lines]
    return [record.getMessage() for record in records if quiet.filter(record)]


def summary(client: str, number: int, queued: int = 0) -> str:
    return f"{client}{number} in-flight, 0 retry-queued, {queued} out-queue, 0 partially-sent requests"


@pytest.mark.parametrize(("named", "all_of_them"), [(1, 1), (2, 2), (5, 5), (5, 7)])
def test_requests_that_only_wake_a_sleeping_client_are_not_told_when_no_answer_comes(
    named: int, all_of_them: int
) -> None:
    lines = [f"{CLIENT}ListOffsetsRequest in flight (after {1000 + n}ms, timeout #{n})" for n in range(named)]
    assert shown(*lines, summary(CLIENT, all_of_them)) == []


@pytest.mark.parametrize(
    "lines",
    [
        [f"{CLIENT}ListOffsetsRequest in flight (after 10007ms, timeout #0)", summary(CLIENT, 1)],
        [f"{CLIENT}FetchRequest in flight (after 1007ms, timeout #0)", summary(CLIENT, 1)],
        [summary(CLIENT, 1)],
        [summary(OTHER, 3, queued=1)],
    ],
    ids=["a question that is waited for", "another request", "unnamed", "never sent"],
)
def test_requests_whose_answer_is_waited_for_are_told_when_none_comes(lines: list[str]) -> None:
    assert shown(*lines) == lines


def test_a_number_that_has_others_in_it_is_told() -> None:
    fetch = f"{CLIENT}FetchRequest in flight (after 60002ms, timeout #1)"
    wake_up = f"{CLIENT}ListOffsetsRequest in flight (after 702ms, timeout #0)"
    assert shown(wake_up, fetch, summary(CLIENT, 2)) == [fetch, summary(CLIENT, 2)]


def test_the_wake_ups_of_one_client_hide_nothing_of_another() -> None:
    wake_up = f"{CLIENT}ListOffsetsRequest in flight (after 702ms, timeout #0)"
    assert shown(wake_up, summary(OTHER, 1), summary(CLIENT, 1)) == [summary(OTHER, 1)]


def test_an_aborted_transaction_is_told_by_the_call_that_failed_and_a_fatal_error_by_the_client_too() -> None:
    aborted = (
        "TXNERR [c#producer-6] [thrd:main]: Current transaction failed in state InTransaction: Failed to commit offsets"
    )
    fatal = "TXNERR [c#producer-6] [thrd:main]: Fatal transaction error: fenced by newer instance"
    assert shown(aborted, fatal) == [fatal]
