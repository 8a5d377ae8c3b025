"""What the benchmark's parts make of what they have measured, and the logs that they measure with."""

from __future__ import annotations

from itertools import islice
from typing import Any

from llm_orchestrator_state.model.fold import fold
from llm_orchestrator_state.model.records import StateRecord
from llm_orchestrator_state.model.verdicts import Verdict
from llm_orchestrator_state.wire.codec import Codec
from tests.benchmarks import latency, restore
from tests.benchmarks.parts import PARTS, QUICK_PARTS, chosen
from tests.benchmarks.stored import StoredRuns
from tests.benchmarks.workload import of_steps, with_old_runs, workload, workload_a


def timed(contender: str, commit_ms: int, p50_ms: float, p99_ms: float) -> dict[str, Any]:
    return {"contender": contender, "commit_ms": commit_ms, "rate": 20, "p50_ms": p50_ms, "p99_ms": p99_ms}


def test_a_peers_latency_is_that_of_its_best_commit_interval() -> None:
    rows = [
        timed("ours", 200, 5.0, 12.0),
        timed("kafka_streams", 10, 30.0, 40.0),
        timed("kafka_streams", 20, 20.0, 60.0),
    ]
    found = latency.named(rows)
    assert found["latency.kafka_streams.rate_20.p50_ms"] == 20.0
    assert found["latency.kafka_streams.rate_20.p99_ms"] == 60.0
    assert found["latency.kafka_streams.rate_20.p50"] == 0.25
    assert found["latency.kafka_streams.rate_20.p99"] == 0.2


def test_restarts_are_ours_divided_by_the_peers() -> None:
    rows = [
        {"contender": "ours", "states_per_s": 300.0, "warm_start_s": 1.0},
        {"contender": "quix", "states_per_s": 100.0, "warm_start_s": 4.0},
    ]
    found = restore.named(rows)
    assert (found["restore.ours.per_s"], found["restore.quix.cold"], found["restore.quix.warm"]) == (300.0, 3.0, 0.25)


def test_stored_runs_are_what_a_restore_finds_each_with_an_id_and_a_context_of_its_own() -> None:
    codec = Codec()
    runs = StoredRuns(codec, 50)
    records = list(runs.records())
    states = [codec.decode_state(value) for _, value in records]
    assert [state["id"] for state in states] == list(runs) == [key.decode() for key, _ in records]
    assert len({state["id"] for state in states}) == len({state["context"] for state in states}) == 50
    assert list(StoredRuns(codec, 50).records()) == records


def test_events_of_old_runs_are_applied_whatever_has_come_before() -> None:
    codec = Codec()
    runs = StoredRuns(codec, 5)
    states: dict[str, StateRecord | None] = {key.decode(): codec.decode_state(value) for key, value in runs.records()}
    woven = list(with_old_runs(workload_a(1_100), runs))
    for event in woven:
        verdict, states[event["run_id"]] = fold(states.get(event["run_id"]), event, "off")
        assert verdict is Verdict.APPLIED
    assert len([event for event in woven if event["run_id"] in set(runs)]) == 110
    assert list(with_old_runs(workload_a(1_100), runs)) == woven


def test_a_run_of_steps_completes_each_once_and_then_itself() -> None:
    shape = of_steps(20, active=1, result_digits=1_000)
    kinds = [event["transition"] for event in islice(workload(shape, shape.events), shape.events)]
    assert [kind for kind, _ in kinds].count("StepCompleted") == 20
    assert kinds[-1][0] == "WorkflowCompleted"
    assert all(len(fields["outputs"]) > 1_000 for kind, fields in kinds if kind == "StepCompleted")


def test_without_a_name_all_parts_run_but_those_that_take_long() -> None:
    assert list(chosen((), is_quick=False)) == [name for name, part in PARTS.items() if not part.only_by_name]
    assert chosen((), is_quick=True) == QUICK_PARTS
    assert chosen(("faust",), is_quick=False) == ("faust",)
