"""What a partition's task makes of values beyond the limit: records of the outputs topic, and contexts in the store."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from random import Random

import pytest

from llm_orchestrator_state.engine import size_limit
from llm_orchestrator_state.engine.outputs import Changes
from llm_orchestrator_state.errors import CorruptStore
from llm_orchestrator_state.model.limits import INLINE_LIMIT
from llm_orchestrator_state.model.payload import payload_problem
from llm_orchestrator_state.model.records import EventRecord, StateRecord
from llm_orchestrator_state.store.interface import Positions
from llm_orchestrator_state.wire.codec import Codec
from tests.unit import outputs
from tests.unit.outputs import contexts, with_limit
from tests.unit.partition import KEY, Partition, compacted
from tests.unit.records import RUN, event, state, step

CODEC = Codec()
LONG = '"%s"' % ("x" * 20)
OTHER = '"%s"' % ("y" * 20)
HOLDING = {LONG: f'{{"a":{LONG}}}', OTHER: f'{{"b":{OTHER}}}'}
"""Objects with one of them."""


def begun(cache_bytes: int = 1 << 30) -> Partition:
    made = with_limit(cache_bytes)
    made.settle(event("WorkflowCreated"), event("WorkflowStarted"))
    return made


def state_of(made: Partition) -> StateRecord:
    found = made.state()
    assert found is not None
    return found


def test_an_output_is_one_record_under_its_runs_number_and_nothing_but_its_text() -> None:
    made = begun()
    text = '{"é":"%s"}' % ("x" * 20)
    changes = made.settle(event("StepCompleted", outputs=text))
    assert [(r.key, r.value, r.headers) for r in changes.outputs] == [(KEY + b"/1", text.encode(), [])]
    reference = state_of(made)["steps"]["a"]["outputs_ref"]
    assert reference is not None
    assert reference["sha256"] == hashlib.sha256(changes.outputs[0].value or b"").digest()


def test_an_output_that_came_and_went_in_one_commit_leaves_nothing() -> None:
    made = Partition("off", codec=CODEC, inline_limit=outputs.LIMIT)
    changes = made.settle(
        event("WorkflowCreated"), event("WorkflowStarted"), event("StepCompleted", outputs=LONG), event("StepStarted")
    )
    assert [(r.key, r.value) for r in changes.outputs] == [(KEY + b"/1", None)]


def test_a_run_that_is_deleted_and_begun_anew_in_one_commit_has_only_what_is_new() -> None:
    made = begun()
    made.settle(event("StepCompleted", outputs=LONG), event("ContextUpdated", patch=LONG))
    made.settle(event("WorkflowDeleted"), event("WorkflowCreated", context=OTHER))
    assert made.compacted_outputs() == {KEY + b"/1": OTHER.encode()}
    assert contexts(made) == {KEY + b"/1": OTHER.encode()}


def test_a_deleted_run_leaves_no_byte_of_its_values_anywhere() -> None:
    made = begun()
    secret = "the caller's secret"
    for n in range(3):
        made.settle(
            event("StepCompleted", outputs=f'"{secret} {n}"'), event("ContextUpdated", patch=f'{{"c":"{secret} {n}"}}'),
            event("CheckpointRequested", snapshot=state("running", step("z", outputs=f'"{secret} s{n}"'), context=LONG)),
        )  # fmt: skip
    assert len(made.compacted_outputs()) > 6
    made.settle(event("WorkflowDeleted"))
    assert (made.compacted_outputs(), made.compacted_checkpoints(), compacted(made.states)) == ({}, {}, {})
    assert (contexts(made), dict(made.store.items())) == ({}, {})


# --- contexts --------------------------------------------------------------------------------------------------------


def test_the_store_has_the_contexts_that_are_out_until_they_are_deleted() -> None:
    made = begun()
    made.settle(event("ContextUpdated", patch=LONG), event("CheckpointRequested"))
    made.settle(event("ContextUpdated", patch=OTHER))
    assert contexts(made) == {KEY + b"/1": LONG.encode(), KEY + b"/2": OTHER.encode()}
    made.settle(event("ContextUpdated", patch="{}"), *(event("CheckpointRequested") for _ in range(10)))
    assert contexts(made) == {}
    made.settle(event("ContextUpdated", patch=HOLDING[LONG]))
    assert contexts(made) == {KEY + b"/3": HOLDING[LONG].encode()}


def test_a_context_is_merged_after_its_run_has_left_the_cache() -> None:
    made = begun(cache_bytes=0)
    made.settle(event("ContextUpdated", patch=HOLDING[LONG]))
    made.settle(event("ContextUpdated", patch='{"b":1}'))
    assert made.compacted_outputs() == {KEY + b"/2": HOLDING[LONG].encode()[:-1] + b',"b":1}'}


def test_a_context_is_merged_again_after_a_rollback() -> None:
    made = begun()
    made.settle(event("ContextUpdated", patch=HOLDING[LONG]))
    made.publish(event("ContextUpdated", patch='{"a":null}'), event("ContextUpdated", patch=HOLDING[OTHER]))
    made.judge(1)
    made.task.rollback()
    made.judge()
    made.commit()
    assert list(made.compacted_outputs().values()) == [HOLDING[OTHER].encode()]


def test_a_context_that_the_store_does_not_have_is_not_guessed_at() -> None:
    made = begun(cache_bytes=0)
    made.settle(event("ContextUpdated", patch=LONG))
    made.store.write((), Positions(0, 0, 0.0), [(KEY + b"/1", None)])
    made.publish(event("StepStarted"), event("ContextUpdated", patch='{"a":1}'))
    with pytest.raises(CorruptStore, match=f"{RUN}/1"):
        made.judge()


# --- sizes -----------------------------------------------------------------------------------------------------------


def test_the_size_of_a_state_is_that_of_what_is_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(size_limit, "MAX_STATE_BYTES", 20_000)
    made = begun()
    for n in range(5):
        made.settle(event("StepCompleted", step_id=f"s{n}", outputs='"%s"' % ("x" * 19_000)))
    made.settle(event("CheckpointRequested", snapshot=state(context='"%s"' % ("x" * 19_000))))
    made.settle(event("WorkflowRestored", snapshot=state("running", *(
        step(f"t{n}", outputs='"%s"' % ("x" * 15_000)) for n in range(5)
    ))))  # fmt: skip
    assert made.codes() == []
    assert len(made.compacted_outputs()) == 5 + 1 + 5


@pytest.mark.parametrize("kind", ["StepCompleted", "WorkflowSaved"])
def test_a_value_that_would_not_fit_into_a_record_is_rejected(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(size_limit, "MAX_STATE_BYTES", 20_000)
    made = begun()
    for length in (20_000, 20_001):
        text = '"%s"' % ("x" * (length - 2))
        made.settle(event("StepCompleted", outputs=text) if kind == "StepCompleted"
                    else event("WorkflowSaved", state=state(context=text)))  # fmt: skip
    assert made.codes() == ["state_too_large"]
    assert list(made.compacted_outputs()) == [KEY + b"/1"]


def test_a_context_that_grows_out_of_reach_is_rejected_wherever_commits_fall(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(size_limit, "MAX_STATE_BYTES", 20_000)
    patches = [event("ContextUpdated", patch=f'{{"k{n}":"{"x" * 900}"}}') for n in range(40)]
    ends = []
    for each in (1, 3, 40):
        made = begun()
        for first in range(0, len(patches), each):
            made.settle(*patches[first : first + each])
        ends.append((made.codes(), made.compacted_outputs(), state_of(made)["version"]))
        (value,) = made.compacted_outputs().values()
        assert 18_000 < len(value) <= 20_000
    assert ends[0] == ends[1] == ends[2]
    assert set(ends[0][0]) == {"state_too_large"}


# --- everything inline -----------------------------------------------------------------------------------------------


def test_a_topic_set_without_a_limit_keeps_everything_inline_and_knows_no_reference() -> None:
    made, other = Partition(codec=CODEC), begun()
    other.settle(event("StepCompleted", outputs=LONG))
    made.settle(event("WorkflowCreated"), event("WorkflowStarted"), event("StepCompleted", outputs=LONG))
    referring = event("WorkflowRestored", snapshot=state_of(other))
    assert payload_problem(referring) is None
    changes = made.settle(referring)
    assert (changes.outputs, changes.contexts, made.codes()) == ([], {}, ["invalid_payload"])
    assert state_of(made)["steps"]["a"]["outputs"] == LONG


# --- however commits fall --------------------------------------------------------------------------------------------


def again(log: list[EventRecord], choose: Callable[[int], int], cache_bytes: int) -> Partition:
    """The same log in fetches of any length, after each a commit, a rollback or nothing."""
    made = with_limit(cache_bytes=cache_bytes)
    made.publish(*log)
    rollbacks = 0
    while made.task.position < len(made.log):
        made.judge(1 + choose(9))
        what = choose(4)
        if what == 0:
            made.commit()
        elif what == 1 and rollbacks < 20:
            rollbacks += 1
            if choose(2):
                made.task.changes()  # what is written is then aborted
            made.task.rollback()
    made.commit()
    return made


@pytest.mark.parametrize("seed", range(6))
def test_any_batching_with_any_rollbacks_and_any_cache_gives_the_same_topics_and_contexts(seed: int) -> None:
    rng = Random(seed)
    for _ in range(2):
        first = outputs.lived(rng)
        log = [CODEC.decode_event(message.value()) for message in first.log]
        second = again(log, rng.randrange, rng.choice((0, 700, 1 << 30)))
        assert dict(first.store.items()) == dict(second.store.items())
        assert first.compacted_outputs() == second.compacted_outputs()
        assert first.compacted_checkpoints() == second.compacted_checkpoints()
        assert contexts(first) == contexts(second)
        assert first.codes() == second.codes()


# --- what it is for --------------------------------------------------------------------------------------------------


def written(changes: Changes) -> int:
    records = [*changes.states, *changes.checkpoints, *changes.outputs]
    return sum(len(record.key or b"") + len(record.value or b"") for record in records)


def test_a_long_run_with_large_outputs_writes_no_more_than_three_times_its_events() -> None:
    """200 steps with outputs of 20 KB, a commit for each event, a checkpoint after each step; all inline: 120 times."""
    made = Partition("step", codec=CODEC, inline_limit=INLINE_LIMIT)
    log = [event("WorkflowCreated"), event("WorkflowStarted")]
    for n in range(200):
        name = f"call[{n}]"
        log.append(event("StepStarted", step_id=name, attempt=1, inputs='{"n":1}'))
        log.append(event("StepCompleted", step_id=name, attempt=1, outputs='"%s"' % ("x" * 20_000),
                         usage={"gen_ai.usage.output_tokens": 4_000}))  # fmt: skip
    total = sum(written(made.settle(one)) for one in log)
    events = sum(len(message.key() or b"") + len(message.value() or b"") for message in made.log)
    assert len(made.compacted_outputs()) == 200
    assert total <= 3 * events, total / events
