from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from random import Random

import pytest

from llm_orchestrator_state.cli.simulate import events_a_second
from llm_orchestrator_state.errors import Configuration
from llm_orchestrator_state.local.simulator.expected import expected, in_log
from llm_orchestrator_state.local.simulator.plan import LONGEST_STORY, STORIES, Plan
from llm_orchestrator_state.local.simulator.seat import (
    CRASH,
    HANG,
    Claimed,
    Ended,
    Event,
    Incident,
    Seat,
    of_shift,
)
from llm_orchestrator_state.model.records import EventRecord
from llm_orchestrator_state.testing import InMemoryPipeline
from llm_orchestrator_state.wire.codec import Codec


def plan(seed: int = 1, runs: int = 300, orchestrators: int = 2) -> Plan:
    return Plan(seed=seed, runs=runs, orchestrators=orchestrators)


def events_of(one: Plan, start: int = 0) -> list[EventRecord]:
    seats = (in_log(one, seat, start) for seat in range(one.orchestrators))
    return [item.record for item in chain(*seats) if isinstance(item, Event)]


def interleaved(one: Plan, chance: Random) -> Iterator[Event]:
    """The events of all seats as processes might publish them: each seat's in its order, the seats' in any."""
    seats = [[i for i in in_log(one, seat) if isinstance(i, Event)] for seat in range(one.orchestrators)]
    turns = [number for number, events in enumerate(seats) for _ in events]
    chance.shuffle(turns)
    left = [iter(events) for events in seats]
    return (next(left[number]) for number in turns)


def test_the_same_seed_makes_the_same_events_relative_to_the_start() -> None:
    early, late = events_of(plan()), events_of(plan(), start=5_000_000)
    assert early != late
    assert early == [{**event, "occurred_at": event["occurred_at"] - 5_000_000} for event in late]


def test_another_seed_makes_other_events_and_other_ids() -> None:
    ids = [{event["event_id"] for event in events_of(plan(seed))} for seed in (1, 2)]
    assert not ids[0] & ids[1]
    kinds = [Counter(event["transition"][0] for event in events_of(plan(seed))) for seed in (1, 2)]
    assert kinds[0] != kinds[1]


def test_a_process_of_a_seat_publishes_its_part_and_all_parts_together_are_the_seat() -> None:
    one = plan(orchestrators=1)
    whole = list(Seat(one, 0, 0).items())
    shifts = [list(of_shift(Seat(one, 0, 0).items(), shift)) for shift in range(3)]
    assert [item for shift in shifts for _, item in shift] == whole
    assert [shift[-1][1].kind for shift in shifts[:2] if isinstance(shift[-1][1], Incident)] == [CRASH, HANG]
    numbers = [number for shift in shifts for number, item in shift if isinstance(item, Event)]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("runs", [*range(1, 24), 100])
def test_there_are_exactly_as_many_runs_as_asked_for(runs: int) -> None:
    one = plan(runs=runs, orchestrators=3)
    assert len(expected(one).statuses) == runs
    applied = [i.record for s in range(3) for i in in_log(one, s) if isinstance(i, Event) and i.verdict == "applied"]
    assert sum(event["transition"][0] == "WorkflowCreated" for event in applied) == runs


@pytest.mark.parametrize(("seed", "orchestrators"), [(1, 1), (2, 2), (3, 3), (4, 5)])
def test_the_processor_says_of_each_event_what_the_plan_says_however_processes_interleave(
    seed: int, orchestrators: int
) -> None:
    one = plan(seed, orchestrators=orchestrators)
    pipeline, codec = InMemoryPipeline(), Codec()
    applied: Counter[str] = Counter()
    for record, verdict in interleaved(one, Random(seed)):
        before = len(pipeline.rejections)
        pipeline.publish_bytes(record["run_id"].encode(), codec.encode_event(record))
        if len(pipeline.rejections) > before:
            assert pipeline.rejections[-1].code == verdict, record
        else:
            assert verdict in {"applied", "duplicate"}, record
            applied[record["run_id"]] += verdict == "applied"
    states = pipeline.states()
    assert {str(state.id): state.status.value for state in states} == expected(one).statuses
    assert {str(state.id): state.version for state in states} == applied
    assert {each.event_id: each.code for each in pipeline.rejections} == expected(one).rejections


def test_what_happens_is_what_happens_to_agents() -> None:
    one = plan(runs=1500, orchestrators=3)
    outcome = expected(one)
    assert set(outcome.statuses.values()) == {"pending", "running", "paused", "completed", "failed"}
    assert set(outcome.rejections.values()) == {
        "fenced", "stale_attempt", "version_conflict", "run_exists", "unknown_run", "illegal_transition",
    }  # fmt: skip
    assert outcome.duplicates
    assert Counter(outcome.statuses.values())["completed"] > 0.8 * one.runs
    transitions = [event["transition"] for event in events_of(one)]
    assert {kind for kind, _ in transitions} >= {
        "WorkflowPaused", "WorkflowResumed", "StepRetried", "StepSkipped", "StepHeartbeat", "ContextUpdated",
        "StepCreated", "CheckpointRequested",
    }  # fmt: skip
    created = [fields for kind, fields in transitions if kind == "WorkflowCreated"]
    assert len({fields["workflow_id"] for fields in created}) == 6
    assert any(fields["parent"] for fields in created)
    steps = {fields["step_id"] for kind, fields in transitions if kind == "StepStarted"}
    assert {"review[core/ledger.py]", "think[2]", "search[web-1]"} <= steps
    types = {fields["error_type"] for kind, fields in transitions if kind in {"StepFailed", "WorkflowFailed"}}
    assert types >= {"RateLimitError", "ToolTimeout", "cancelled", "timed_out", "SubWorkflowFailed"}
    usage = [fields["usage"] for kind, fields in transitions if kind == "StepCompleted" and fields["usage"]]
    names = {"gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "cost_micro_usd"}
    assert all(set(each) == names for each in usage)


def test_every_value_is_json_and_every_placeholder_is_filled() -> None:
    for event in events_of(plan()):
        fields = event["transition"][1]
        for name in {"context", "patch", "inputs", "outputs"} & fields.keys():
            assert fields[name] is None or isinstance(json.loads(fields[name]), dict)
        assert "{" not in (fields.get("error") or "")
        assert "None" not in (fields.get("error") or "")


def test_a_successor_claims_with_a_higher_token_and_the_zombie_still_has_the_old_one() -> None:
    items = list(Seat(plan(), 1, 0).items())
    at = next(number for number, item in enumerate(items) if isinstance(item, Incident))
    incident = items[at]
    assert isinstance(incident, Incident)
    assert incident.kind == HANG
    claimed = next(number for number, item in enumerate(items) if isinstance(item, Claimed))
    claims = [item.record for item in items[at + 1 : claimed] if isinstance(item, Event)]
    assert {record["fencing_token"] for record in claims} == {2}
    assert {record["transition"][0] for record in claims} == {"WorkflowResumed", "StepStarted"}
    zombie = [event.record for event in incident.zombie]
    assert {record["fencing_token"] for record in zombie} == {1}
    assert {record["run_id"] for record in zombie} <= {record["run_id"] for record in claims}
    assert max(r["occurred_at"] for r in claims) < min(
        item.record["occurred_at"] for item in items[claimed:] if isinstance(item, Event)
    )


def test_everything_has_happened_when_the_plan_says_it_has() -> None:
    for seed in range(3):
        one = plan(seed, runs=STORIES)
        stories = [family.story for seat in range(2) for family in one.families_of(seat)]
        assert max(story.beats[-1].at for story in stories) < LONGEST_STORY - 60_000_000
        assert max(event["occurred_at"] for event in events_of(one)) < one.longest


def test_a_seat_without_runs_has_no_events() -> None:
    assert not list(Seat(plan(runs=1), 1, 0).items())


def test_runs_end_once_each() -> None:
    items = list(Seat(plan(orchestrators=1), 0, 0).items())
    ended = [item.run_id for item in items if isinstance(item, Ended)]
    assert len(ended) == len(set(ended)) == 300


@pytest.mark.parametrize(("text", "rate"), [("500", 500.0), ("0.5", 0.5), ("max", None)])
def test_a_rate_is_a_number_or_max(text: str, rate: float | None) -> None:
    assert events_a_second(text) == rate


@pytest.mark.parametrize("text", ["0", "-3", "fast", "nan", "inf", ""])
def test_a_rate_that_is_none_is_told_what_is_expected(text: str) -> None:
    with pytest.raises(Configuration, match=r"expected events a second, such as 500, or max"):
        events_a_second(text)
