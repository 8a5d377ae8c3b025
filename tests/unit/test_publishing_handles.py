"""Handles of runs and steps, against the pipeline in memory."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any
from uuid import UUID, uuid4

import pytest

from llm_orchestrator_state import Publisher, run_id_for
from llm_orchestrator_state.client.publishing import RunHandle, WorkflowRun
from llm_orchestrator_state.client.publishing.ids import child_id_for
from llm_orchestrator_state.errors import EventRejected, InvalidState, StepAlreadyOpen, TimedOut
from llm_orchestrator_state.model import StepState, StepStatus, TransitionEvent, WorkflowFailed, WorkflowState
from llm_orchestrator_state.testing import InMemoryPipeline


@pytest.fixture
def pipeline() -> InMemoryPipeline:
    return InMemoryPipeline()


@pytest.fixture
def publisher(pipeline: InMemoryPipeline) -> Iterator[Publisher]:
    with pipeline.publisher() as made:
        yield made


def state_of(pipeline: InMemoryPipeline, run: RunHandle) -> WorkflowState:
    state = pipeline.state(run.run_id)
    assert state is not None
    return state


def step_of(pipeline: InMemoryPipeline, run: RunHandle, step_id: str) -> StepState:
    return state_of(pipeline, run).steps[step_id]


def crash(run: WorkflowRun) -> None:
    """What an orchestrator does that is killed in its block: nothing."""
    run.__enter__()


# --- runs -------------------------------------------------------------------------------------------------------------


def test_a_run_is_created_and_started_by_its_block_and_completed_by_leaving_it(
    pipeline: InMemoryPipeline, publisher: Publisher
) -> None:
    with publisher.workflow(
        "triage", name="Ticket triage", user_id="ana", context={"ticket": 7}, labels={"team": "a"}
    ) as run:
        state = state_of(pipeline, run)
        assert (state.status, state.version) == ("running", 2)
        assert (state.workflow_name, state.user_id, state.labels) == ("Ticket triage", "ana", {"team": "a"})
        assert state.context == {"ticket": 7}
    assert state_of(pipeline, run).status == "completed"
    assert pipeline.rejections == []


def test_a_run_without_a_name_is_called_after_its_definition(pipeline: InMemoryPipeline, publisher: Publisher) -> None:
    with publisher.workflow("triage") as run:
        pass
    assert state_of(pipeline, run).workflow_name == "triage"


def test_an_exception_that_leaves_the_block_fails_the_run_and_is_raised_again(
    pipeline: InMemoryPipeline, publisher: Publisher
) -> None:
    with pytest.raises(ZeroDivisionError), publisher.workflow("triage") as run, run.step("divide"):
        print(1 / 0)
    state = state_of(pipeline, run)
    assert (state.status, state.error, state.error_type) == ("failed", "division by zero", "ZeroDivisionError")
    step = state.steps["divide"]
    assert (step.status, step.error, step.error_type) == ("failed", "division by zero", "ZeroDivisionError")


def test_an_exception_that_stays_in_the_block_fails_its_step_only(
    pipeline: InMemoryPipeline, publisher: Publisher
) -> None:
    with publisher.workflow("triage") as run:
        with pytest.raises(KeyError), run.step("look up"):
            raise KeyError("x")
        with run.step("do without"):
            pass
    assert state_of(pipeline, run).status == "completed"
    assert step_of(pipeline, run, "look up").status == "failed"


class Interruption(BaseException):
    """Like GeneratorExit, and whatever else libraries make that is no Exception."""


@pytest.mark.parametrize(
    ("error", "error_type"),
    [
        (concurrent.futures.CancelledError(), "cancelled"),
        (TimeoutError("too slow"), "timed_out"),
        (TimedOut("not applied within 30 s"), "timed_out"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (SystemExit(3), "SystemExit"),
        (Interruption("gone"), "Interruption"),
        (ConnectionResetError("reset"), "ConnectionResetError"),
    ],
)
def test_cancellation_and_time_outs_have_types_of_their_own_and_others_that_of_their_class(
    pipeline: InMemoryPipeline, publisher: Publisher, error: BaseException, error_type: str
) -> None:
    with pytest.raises(type(error)), publisher.workflow("triage") as run, run.step("a"):
        raise error
    state = state_of(pipeline, run)
    assert (state.status, state.error_type, state.steps["a"].error_type) == ("failed", error_type, error_type)
    assert state.error == (str(error) or type(error).__name__)


def test_an_error_text_without_end_or_with_half_characters_is_published_all_the_same(
    pipeline: InMemoryPipeline, publisher: Publisher
) -> None:
    with pytest.raises(ValueError, match="x"), publisher.workflow("triage") as run:
        raise ValueError("\ud800" + "x" * 10_000_000)
    assert len(state_of(pipeline, run).error or "") == 10_000


def test_a_paused_run_is_not_completed_by_leaving_its_block(pipeline: InMemoryPipeline, publisher: Publisher) -> None:
    with publisher.workflow("triage") as run:
        run.pause("waits for approval")
    state = state_of(pipeline, run)
    assert (state.status, state.status_reason) == ("paused", "waits for approval")


def test_a_run_that_was_resumed_is_completed_by_leaving_its_block(
    pipeline: InMemoryPipeline, publisher: Publisher
) -> None:
    with publisher.workflow("triage") as run:
        for _ in range(2):
            run.pause()
            run.resume()
    assert state_of(pipeline, run).status == "completed"
    assert state_of(pipeline, run).version == 7


def test_a_run_may_be_completed_or_failed_before_its_block_is_left(
    pipeline: InMemoryPipeline, publisher: Publisher
) -> None:
    with publisher.workflow("triage") as done:
        done.complete()
    with publisher.workflow("triage") as failed:
        failed.fail("no such customer", "cancelled")
        with pytest.raises(InvalidState, match=r"completed or failed.*claim"):
            failed.update_context({})
    with publisher.workflow("triage") as raised:
        raised.fail(TimeoutError())
    assert state_of(pipeline, done).status == "completed"
    assert state_of(pipeline, failed).error_type == "cancelled"
    assert state_of(pipeline, raised).error_type == "timed_out"
    assert pipeline.rejections == []


def test_a_handle_is_used_inside_its_block_only(publisher: Publisher) -> None:
    run = publisher.workflow("triage")
    with pytest.raises(InvalidState, match="enter its with block"):
        run.pause()
    with run:
        pass
    with pytest.raises(InvalidState, match=r"its with block is over.*attach\(\) or claim\(\)"), run.step("a"):
        pass
    with pytest.raises(InvalidState, match="make another handle"), run:
        pass


def test_the_context_is_changed_by_a_merge_patch(pipeline: InMemoryPipeline, publisher: Publisher) -> None:
    with publisher.workflow("triage", context={"a": 1, "b": 2}) as run:
        run.update_context({"a": None, "c": 3})
        run.update_context({"c": 4})
    assert state_of(pipeline, run).context == {"b": 2, "c": 4}


def test_a_checkpoint_is_taken_and_restored(pipeline: InMemoryPipeline, publisher: Publisher) -> None:
    with publisher.workflow("triage", context={"a": 1}) as run:
        with run.step("first"):
            pass
        wanted = run_id_for("checkpoint")
        run.checkpoint("first", checkpoint_id=wanted)
        (checkpoint,) = [each for each in pipeline.checkpoints(run.run_id) if each.id == wanted]
        with run.step("second"):
            run.update_context({"a": 2})
        run.restore(checkpoint)
        state = state_of(pipeline, run)
        assert (list(state.steps), state.context, state.status) == (["first"], {"a": 1}, "running")
    assert state_of(pipeline, run).status == "completed"


def test_a_sub_workflow_knows_its_parent_and_lives_on_its_own(pipeline: InMemoryPipeline, publisher: Publisher) -> None:
    with publisher.workflow("triage") as run, run.step("research") as step:
        with run.child("search", step=step) as child, child.step("query"):
            pass
        with run.child("search", step="research") as other:
            pass
    parent = state_of(pipeline, child).parent
    assert parent is not None
    assert (parent.id, parent.step_id) == (run.run_id, "research")
    assert state_of(pipeline, other).parent == parent
    assert child.run_id != other.run_id
    assert state_of(pipeline, child).status == "completed"


# --- once -------------------------------------------------------------------------------------------------------------


def test_a_name_gives_the_same_run_id_for_ever() -> None:
    assert run_id_for("order-1234") == UUID("4d4bfebe-a86c-504d-9c48-ac532dbeac04")


def test_a_retried_webhook_makes_one_run_and_no_second_effect(pipeline: InMemoryPipeline, publisher: Publisher) -> None:
    def webhook(label: str) -> None:
        with publisher.workflow("triage", run_id=run_id_for("order-1234")) as run:
            with run.step("classify") as step:
                step.outputs = {"label": label}
            run.pause()
            run.resume()

    webhook("bug")
    once = pipeline.states()
    webhook("question")
    assert pipeline.states() == once
    assert once[0].steps["classify"].outputs == {"label": "bug"}
    assert pipeline.rejections == []


def test_a_retried_webhook_makes_the_same_sub_workflows(pipeline: InMemoryPipeline, publisher: Publisher) -> None:
    def webhook() -> list[UUID]:
        with publisher.workflow("triage", run_id=run_id_for("order-1234")) as run:
            made = []
            for n in range(2):
                with run.step("fetch", key=n) as step, run.child("fetch", step=step) as child:
                    made.append(child.run_id)
            with run.step("research") as step:
                for workflow_id in ("search", "search", "read"):
                    with run.child(workflow_id, step=step) as child, child.step("query"):
                        made.append(child.run_id)
        return made

    first = webhook()
    once = pipeline.states()
    assert webhook() == first
    assert len(set(first)) == 5
    assert pipeline.states() == once
    assert pipeline.rejections == []


def test_no_names_of_steps_and_definitions_make_the_ids_of_others() -> None:
    run = run_id_for("order-1234")
    given = [("a/b", "c", 1), ("a", "b/c", 1), ("a", "b/c", 2), ("a", "b", 1), ("1/a", "b", 1)]
    assert len({child_id_for(run, *each) for each in given}) == len(given)
    assert child_id_for(run, "a", "b", 1) == UUID("dc216452-0453-5373-9372-43a994bcc907")


def test_who_has_a_run_of_anothers_makes_sub_workflows_of_its_own(
    pipeline: InMemoryPipeline, publisher: Publisher
) -> None:
    with publisher.workflow("triage") as run, run.step("research"):
        attached = [publisher.attach(run.run_id).child("search", step="research").run_id for _ in range(2)]
        with publisher.claim(state_of(pipeline, run), reader=pipeline.reader()) as claimed:
            made = {
                claimed.child("search", step="research").run_id,
                run.child("search", step="research").run_id,
                *attached,
            }
    assert len(made) == 4
    given = uuid4()
    assert run.child("search", step="research", run_id=given).run_id == given


def test_a_run_id_that_is_no_uuid_is_refused_with_the_way_to_make_one(publisher: Publisher) -> None:
    with pytest.raises(InvalidState, match=r"run_id_for\('order-1234'\)"):
        publisher.workflow("triage", run_id="order-1234")


# --- steps ------------------------------------------------------------------------------------------------------------


def test_a_step_has_the_outputs_and_usage_that_it_was_given(pipeline: InMemoryPipeline, publisher: Publisher) -> None:
    with publisher.workflow("triage") as run, run.step("classify", inputs={"text": "help"}) as step:
        assert step.attempt == 1
        step.heartbeat()
        step.usage(input_tokens=10, output_tokens=2)
        step.usage(input_tokens=5, cost_micro_usd=40, more={"gen_ai.usage.cache_read.input_tokens": 3})
        step.outputs = {"label": "bug"}
    found = step_of(pipeline, run, "classify")
    assert (found.status, found.outputs, found.attempt) == ("completed", {"label": "bug"}, 1)
    assert found.usage == {
        "gen_ai.usage.input_tokens": 15,
        "gen_ai.usage.output_tokens": 2,
        "cost_micro_usd": 40,
        "gen_ai.usage.cache_read.input_tokens": 3,
    }
    assert state_of(pipeline, run).usage == found.usage


def test_a_step_that_fails_keeps_what_it_has_used(pipeline: InMemoryPipeline, publisher: Publisher) -> None:
    with publisher.workflow("triage") as run:
        for attempt in run.attempts("a", max_attempts=2):
            with attempt as step:
                step.usage(input_tokens=10)
                if attempt.number == 1:
                    raise OSError("down")
        assert step_of(pipeline, run, "a").usage == {"gen_ai.usage.input_tokens": 20}


def test_fan_out_has_a_step_for_each_key(pipeline: InMemoryPipeline, publisher: Publisher) -> None:
    def branch(key: int) -> None:
        with run.step("fetch", key=key) as step:
            step.outputs = key

    with publisher.workflow("triage") as run:
        threads = [Thread(target=branch, args=(key,)) for key in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    steps = state_of(pipeline, run).steps
    assert {step_id: step.outputs for step_id, step in steps.items()} == {f"fetch[{n}]": n for n in range(20)}
    assert {step.attempt for step in steps.values()} == {1}


def test_a_step_that_is_open_cannot_be_entered_again_and_the_way_out_is_named(
    pipeline: InMemoryPipeline, publisher: Publisher
) -> None:
    with publisher.workflow("triage") as run:
        with run.step("fetch"):
            with pytest.raises(StepAlreadyOpen, match=r"'fetch'.*key="), run.step("fetch"):
                pass
            with run.step("fetch", key="b"):
                pass
        with run.step("fetch") as again:
            assert again.attempt == 2
    assert step_of(pipeline, run, "fetch").attempt == 2
    assert pipeline.rejections == []


@pytest.mark.parametrize("wrong", [1.5, -1, "7"])
def test_usage_that_cannot_be_told_is_refused_where_it_is_given(
    pipeline: InMemoryPipeline, publisher: Publisher, wrong: Any
) -> None:
    with publisher.workflow("triage") as run, run.step("a") as step:
        with pytest.raises(InvalidState, match=r"input_tokens is .*; expected a whole number from 0 on"):
            step.usage(output_tokens=1, input_tokens=wrong)
        step.usage(input_tokens=7)
    assert step_of(pipeline, run, "a").usage == {"gen_ai.usage.input_tokens": 7}


def test_outputs_that_are_no_json_fail_the_step_and_the_run(pipeline: InMemoryPipeline, publisher: Publisher) -> None:
    with (
        pytest.raises(InvalidState, match=r"outputs\.labels is a set"),
        publisher.workflow("triage") as run,
        run.step("classify") as step,
    ):
        step.outputs = {"labels": {"a"}}
    assert step_of(pipeline, run, "classify").error_type == "InvalidState"
    assert state_of(pipeline, run).status == "failed"


def test_inputs_that_are_no_json_start_nothing_and_leave_the_step_free(
    pipeline: InMemoryPipeline, publisher: Publisher
) -> None:
    with publisher.workflow("triage") as run:
        with pytest.raises(InvalidState, match="inputs is bytes"), run.step("a", inputs=b""):
            pass
        with run.step("a"):
            pass
    assert step_of(pipeline, run, "a").status == "completed"


def test_a_step_can_be_skipped(pipeline: InMemoryPipeline, publisher: Publisher) -> None:
    with publisher.workflow("triage") as run:
        run.skip("translate", key="de", reason="is German")
    step = step_of(pipeline, run, "translate[de]")
    assert (step.status, step.status_reason) == ("skipped", "is German")


# --- attempts ---------------------------------------------------------------------------------------------------------


def always_busy(run: RunHandle, error: BaseException | None = None, **options: Any) -> None:
    """A step whose every attempt fails."""
    for attempt in run.attempts("classify", **options):
        with attempt:
            raise error or OSError(f"busy {attempt.number}")


def test_a_step_is_tried_again_until_it_succeeds(pipeline: InMemoryPipeline, publisher: Publisher) -> None:
    with publisher.workflow("triage") as run:
        for attempt in run.attempts("classify", max_attempts=5):
            with attempt as step:
                step.usage(input_tokens=1)
                if attempt.number < 3:
                    raise OSError("busy")
                step.outputs = step.attempt
    found = step_of(pipeline, run, "classify")
    assert (found.status, found.attempt, found.retry_count, found.outputs) == ("completed", 3, 2, 3)
    assert found.usage == {"gen_ai.usage.input_tokens": 3}
    assert state_of(pipeline, run).status == "completed"


def test_what_the_last_attempt_raises_leaves_the_loop(pipeline: InMemoryPipeline, publisher: Publisher) -> None:
    with publisher.workflow("triage") as run, pytest.raises(OSError, match="busy 2"):
        always_busy(run, max_attempts=2)
    step = step_of(pipeline, run, "classify")
    assert (step.status, step.attempt, step.retry_count, step.error) == ("failed", 2, 1, "busy 2")


@pytest.mark.parametrize("error", [KeyError("no"), KeyboardInterrupt()])
def test_only_what_is_said_to_be_retried_is(
    pipeline: InMemoryPipeline, publisher: Publisher, error: BaseException
) -> None:
    with publisher.workflow("triage") as run, pytest.raises(type(error)):
        always_busy(run, error, retry_on=OSError)
    assert step_of(pipeline, run, "classify").attempt == 1


def test_the_wait_before_a_retry_may_depend_on_its_number(publisher: Publisher) -> None:
    asked: list[int] = []

    def wait_s(number: int) -> float:
        asked.append(number)
        return 0.0

    with publisher.workflow("triage") as run, pytest.raises(OSError, match="busy"):
        always_busy(run, max_attempts=3, wait_s=wait_s)
    assert asked == [1, 2]


def test_a_loop_that_forgets_to_enter_its_attempts_ends(publisher: Publisher) -> None:
    with publisher.workflow("triage") as run, pytest.raises(InvalidState, match="with attempt as step"):
        for _ in run.attempts("classify"):
            pass


def test_at_least_one_attempt_is_needed(publisher: Publisher) -> None:
    with publisher.workflow("triage") as run, pytest.raises(InvalidState, match="at least 1"):
        run.attempts("classify", max_attempts=0)


# --- attach -----------------------------------------------------------------------------------------------------------


def test_a_handle_without_a_state_sends_no_attempt_and_ends_nothing(
    pipeline: InMemoryPipeline, publisher: Publisher
) -> None:
    with publisher.workflow("triage") as run:
        other = publisher.attach(run.run_id)
        for _ in range(2):
            with other.step("classify") as step:
                assert step.attempt is None
        assert step_of(pipeline, run, "classify").attempt == 2
        other.pause()
        other.resume()
        other.pause()
        assert state_of(pipeline, run).status == "paused"
    assert pipeline.state(run.run_id).status == "completed"  # type: ignore[union-attr]


def test_a_handle_with_a_state_goes_on_counting_its_attempts(pipeline: InMemoryPipeline, publisher: Publisher) -> None:
    crash(run := publisher.workflow("triage"))
    with run.step("classify"):
        pass
    other = publisher.attach(str(run.run_id), state_of(pipeline, run))
    with other.step("classify") as step:
        assert step.attempt == 2
    with other.step("new") as step:
        assert step.attempt == 1
    assert pipeline.rejections == []


# --- claim ------------------------------------------------------------------------------------------------------------


def test_a_claim_resumes_the_run_and_its_attempts_go_on(pipeline: InMemoryPipeline, publisher: Publisher) -> None:
    crash(dead := publisher.workflow("triage"))
    dead.step("classify").__enter__()
    with publisher.claim(state_of(pipeline, dead), reader=pipeline.reader()) as run, run.step("classify") as step:
        assert step.attempt == 2
        assert state_of(pipeline, run).fencing_token == 1
    state = state_of(pipeline, run)
    assert (state.status, state.steps["classify"].status, state.fencing_token) == ("completed", "completed", 1)
    assert pipeline.rejections == []


def test_a_claim_of_a_pending_run_starts_it(pipeline: InMemoryPipeline, publisher: Publisher) -> None:
    run_id = run_id_for("pending")
    created = {"run_id": str(run_id), "type": "workflow_created", "occurred_at": "2026-01-05T09:30:00Z",
               "workflow_id": "triage", "workflow_name": "Triage"}  # fmt: skip
    pipeline.publish(created)
    state = pipeline.state(run_id)
    assert state is not None
    with publisher.claim(state, reader=pipeline.reader()) as run:
        assert state_of(pipeline, run).status == "running"


def test_of_two_claims_of_one_version_one_is_rejected_and_says_nothing_more(
    pipeline: InMemoryPipeline, publisher: Publisher
) -> None:
    crash(dead := publisher.workflow("triage"))
    seen = state_of(pipeline, dead)
    with publisher.claim(seen, reader=pipeline.reader()) as winner:
        loser = publisher.claim(seen, reader=pipeline.reader())
        with pytest.raises(EventRejected) as rejected, loser:
            pytest.fail("the block of a claim that was rejected is not entered")
        assert rejected.value.code == "version_conflict"
        assert rejected.value.event_id == loser.last_delivery.event_id  # type: ignore[union-attr]
        with pytest.raises(InvalidState, match="another orchestrator's"):
            loser.pause()
        assert state_of(pipeline, winner).status == "running"
    assert state_of(pipeline, winner).status == "completed"
    assert len(pipeline.rejections) == 1


def test_a_claim_without_a_reader_says_nothing_before_it_is_confirmed(
    pipeline: InMemoryPipeline, publisher: Publisher
) -> None:
    crash(dead := publisher.workflow("triage"))
    with publisher.claim(state_of(pipeline, dead)) as run:
        with pytest.raises(InvalidState, match=r"confirm\(reader\)"), run.step("a"):
            pass
        run.confirm(pipeline.reader())
        with run.step("a"):
            pass
    assert state_of(pipeline, run).status == "completed"


def test_a_claim_that_turns_out_to_be_lost_does_not_fail_the_winners_run(
    pipeline: InMemoryPipeline, publisher: Publisher
) -> None:
    crash(dead := publisher.workflow("triage"))
    seen = state_of(pipeline, dead)
    with publisher.claim(seen, reader=pipeline.reader()) as winner:
        with pytest.raises(EventRejected), publisher.claim(seen) as loser:
            loser.confirm(pipeline.reader())
        assert state_of(pipeline, winner).status == "running"


def test_a_claim_that_nobody_confirmed_is_an_error_when_its_block_is_left(
    pipeline: InMemoryPipeline, publisher: Publisher
) -> None:
    crash(dead := publisher.workflow("triage"))
    with pytest.raises(InvalidState, match="confirm"), publisher.claim(state_of(pipeline, dead)):
        pass
    assert state_of(pipeline, dead).status == "running"


def test_the_orchestrator_that_was_thought_dead_is_fenced(pipeline: InMemoryPipeline, publisher: Publisher) -> None:
    crash(first := publisher.workflow("triage"))
    crash(second := publisher.claim(state_of(pipeline, first), reader=pipeline.reader()))
    with publisher.claim(state_of(pipeline, first), reader=pipeline.reader()) as run:
        for zombie in (first, second):
            delivery = zombie.update_context({"from": "the grave"})
            with pytest.raises(EventRejected) as rejected:
                pipeline.reader().applied(delivery)
            assert rejected.value.code == "fenced"
        assert state_of(pipeline, run).fencing_token == 2


def test_a_handle_that_finds_out_that_its_run_was_claimed_says_nothing_more(
    pipeline: InMemoryPipeline, publisher: Publisher
) -> None:
    def work(zombie: WorkflowRun) -> None:
        with zombie:
            for attempt in zombie.attempts("classify"):
                with attempt as step:
                    crash(publisher.claim(state_of(pipeline, zombie), reader=pipeline.reader()))
                    step.heartbeat()
                    zombie.confirm(pipeline.reader())

    with pytest.raises(EventRejected) as rejected:
        work(zombie := publisher.workflow("triage"))
    assert rejected.value.code == "fenced"
    assert [each.code for each in pipeline.rejections] == ["fenced"]
    assert state_of(pipeline, zombie).status == "running"


def test_a_run_can_be_confirmed_at_any_time_and_after_its_block(
    pipeline: InMemoryPipeline, publisher: Publisher
) -> None:
    run = publisher.workflow("triage")
    with pytest.raises(InvalidState, match="not begun"):
        run.confirm(pipeline.reader())
    with run:
        run.confirm(pipeline.reader())
    run.confirm(pipeline.reader())
    assert state_of(pipeline, run).status == "completed"
    attached = publisher.attach(run.run_id)
    attached.confirm(pipeline.reader())  # of nothing that it said
    attached.pause()
    with pytest.raises(EventRejected) as rejected:
        attached.confirm(pipeline.reader())
    assert rejected.value.code == "illegal_transition"


def test_a_program_that_reports_about_a_run_of_another_is_not_fenced(
    pipeline: InMemoryPipeline, publisher: Publisher
) -> None:
    crash(dead := publisher.workflow("triage"))
    with publisher.claim(state_of(pipeline, dead), reader=pipeline.reader()):
        pipeline.reader().applied(publisher.attach(dead.run_id).update_context({"seen": True}))
    assert state_of(pipeline, dead).context == {"seen": True}


def test_a_failed_run_is_claimed_also_by_a_host_whose_clock_is_behind(
    pipeline: InMemoryPipeline, publisher: Publisher
) -> None:
    crash(dead := publisher.workflow("triage"))
    ahead = datetime.now(UTC) + timedelta(hours=1)
    publisher.publish(
        TransitionEvent(run_id=dead.run_id, occurred_at=ahead, transition=WorkflowFailed(error="out of memory"))
    )
    failed = state_of(pipeline, dead)
    with publisher.claim(failed, reader=pipeline.reader()) as run, run.step("a"):
        pass
    state = state_of(pipeline, run)
    assert (state.status, state.error, state.steps["a"].status) == ("completed", None, StepStatus.COMPLETED)


def test_a_completed_run_cannot_be_claimed(pipeline: InMemoryPipeline, publisher: Publisher) -> None:
    with publisher.workflow("triage") as run:
        pass
    with pytest.raises(InvalidState, match="is completed; only a pending, running, paused or failed"):
        publisher.claim(state_of(pipeline, run))


def test_what_a_reader_says_of_no_run_cannot_be_claimed(publisher: Publisher) -> None:
    with pytest.raises(InvalidState, match="a NoneType is no state to claim"):
        publisher.claim(None)  # type: ignore[arg-type]


def test_a_rejection_can_be_sent_to_another_process() -> None:
    import pickle

    rejected: Any = pickle.loads(pickle.dumps(EventRejected("fenced", "token 1, and 2 was seen", "id")))  # type: ignore[arg-type]
    assert (rejected.code, rejected.detail, rejected.event_id) == ("fenced", "token 1, and 2 was seen", "id")


def test_a_misspelt_attribute_of_a_handle_is_an_error(publisher: Publisher) -> None:
    with publisher.workflow("triage") as run:
        with pytest.raises(AttributeError, match="contexts"):
            run.contexts = {}  # type: ignore[attr-defined]
        with run.step("classify") as step, pytest.raises(AttributeError, match="output"):
            step.output = {}  # type: ignore[attr-defined]
        for attempt in run.attempts("answer"):
            with attempt as step, pytest.raises(AttributeError, match="output"):
                step.output = {}  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["", None])
def test_a_step_without_a_name_is_refused_where_it_is_given(publisher: Publisher, name: Any) -> None:
    with publisher.workflow("triage") as run:
        for call in (run.step, run.attempts, run.skip, run.heartbeat, run.checkpoint):
            with pytest.raises(InvalidState, match="a step's name is"):
                call(name)
        with pytest.raises(InvalidState, match="a step's name is"):
            run.step(name, key=1)
