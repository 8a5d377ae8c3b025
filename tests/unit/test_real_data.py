"""364 real dialogues: the states are the expected ones, and publishing them again changes next to nothing."""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from llm_orchestrator_state.local.expected import differences
from llm_orchestrator_state.model import WorkflowState
from llm_orchestrator_state.model.records import EventRecord
from llm_orchestrator_state.wire.codec import Codec
from llm_orchestrator_state.wire.jsonlines import parse_line
from tests.unit.partition import Partition

DIALOGUES = Path(__file__).parents[3] / "shared" / "data" / "support-dialogues"
needs_data = pytest.mark.skipif(
    not DIALOGUES.is_dir(), reason="the dialogues (../shared/data/support-dialogues beside the checkout) are not here"
)
COUNTING = ("version", "last_event_id", "recent_event_ids")


def events(name: str) -> list[EventRecord]:
    with gzip.open(DIALOGUES / f"{name}.jsonl.gz") as lines:
        return [parse_line(line) for line in lines]


def states(partition: Partition) -> dict[str, dict[str, Any]]:
    return {key.decode(): dict(partition.codec.decode_state(value)) for key, value in partition.store.items()}


@cache
def folded(name: str) -> Partition:
    partition = Partition("off", codec=Codec())
    partition.publish(*events(name))
    while partition.task.position < len(partition.log):
        partition.judge(1000)
        partition.commit()
    return partition


@needs_data
@pytest.mark.parametrize("name", ["events", "events-real-times"])
def test_the_states_are_the_expected_ones_in_full(name: str) -> None:
    expected = msgspec.json.decode(gzip.decompress((DIALOGUES / f"{name}.expected.json.gz").read_bytes()))
    partition = folded(name)
    found = {
        run: msgspec.json.decode(WorkflowState.from_record(state).to_json())  # type: ignore[arg-type]
        for run, state in states(partition).items()
    }
    assert list(differences(expected["runs"], found)) == []
    assert partition.task.counts.applied == expected["verdicts"]["applied"]
    assert partition.codes() == []


@needs_data
def test_published_two_more_times_they_change_at_most_one_runs_version_and_nothing_else() -> None:
    partition = folded("events")
    before, count = states(partition), len(partition.log)
    for _ in range(2):
        for message in partition.log[:count]:
            partition.append(message.key(), message.value())
        while partition.task.position < len(partition.log):
            partition.judge(777)
            partition.commit()
    after = states(partition)
    changed = [run for run in before if after[run] != before[run]]
    assert len(changed) <= 1
    for run in changed:
        assert {name for name, value in after[run].items() if value != before[run][name]} <= set(COUNTING)
    assert after.keys() == before.keys()
    judged = 2 * count
    assert partition.task.counts.duplicate > 0.98 * judged, "nearly all of it is silent"
