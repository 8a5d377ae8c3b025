from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from llm_orchestrator_state.errors import Configuration, StateDirectory
from llm_orchestrator_state.local.demo import run_demo
from llm_orchestrator_state.local.demo.live import Moment, line, panel, seconds_text, sparkline
from llm_orchestrator_state.local.demo.observer import Runs
from llm_orchestrator_state.local.demo.outcome import failures, rejected, slowest_steps, workflows
from llm_orchestrator_state.local.demo.progress import Progress
from llm_orchestrator_state.local.demo.screen import Screen
from llm_orchestrator_state.local.demo.settling import Settled, Settling, percentiles
from llm_orchestrator_state.local.demo.stage import Ending
from llm_orchestrator_state.local.demo.turn import take_turn
from llm_orchestrator_state.local.demo.usage import Usage
from llm_orchestrator_state.local.interrupts import raised_as_keyboard_interrupt, uninterrupted

RUN = b"6f1b8b0e-93a5-4c1e-8a52-0d7c3f4e5a6b"


def state(run: str, **changed: Any) -> dict[str, Any]:
    return {
        "id": run, "workflow_id": "triage", "status": "completed", "error": None, "error_type": None, "usage": {},
        "updated_at": "2026-01-05T09:30:00Z", "steps": {}, **changed,
    }  # fmt: skip


def step(name: str, seconds: int) -> dict[str, Any]:
    return {
        name: {
            "step_id": name,
            "started_at": "2026-01-05T09:30:00Z",
            "completed_at": f"2026-01-05T09:30:{seconds:02}Z",
        }
    }


# --- latency ----------------------------------------------------------------------------------------------------------


def test_an_event_is_settled_by_the_first_state_that_has_judged_it_in_whatever_order_the_topics_are_read() -> None:
    readings: list[Callable[[Settling], None]] = [
        lambda of: of.event(RUN, (0, 5), 10.0),
        lambda of: of.event(RUN, (0, 6), 11.0),
        lambda of: of.state(RUN, 6, 12.0),
    ]
    for order in permutations(readings):
        settling = Settling()
        for read in order:
            read(settling)
        assert sorted(settling.settled()) == [Settled(10.0, 12.0), Settled(11.0, 12.0)]


def test_a_state_settles_no_event_behind_it_and_none_of_another_run() -> None:
    settling = Settling()
    settling.event(RUN, (0, 5), 10.0)
    settling.event(RUN, (0, 9), 10.5)
    settling.event(b"another", (0, 4), 10.0)
    settling.state(RUN, 5, 12.0)
    assert settling.settled() == [Settled(10.0, 12.0)]
    settling.state(RUN, 9, 13.0)
    assert settling.settled()[-1].latency == 2.5


@pytest.mark.parametrize("rejection_first", [True, False])
def test_a_rejected_event_has_no_latency(rejection_first: bool) -> None:
    settling = Settling()
    settling.event(RUN, (0, 5), 10.0)
    if rejection_first:
        settling.rejection((0, 5))
    settling.state(RUN, 6, 12.0)
    if not rejection_first:
        settling.rejection((0, 5))
    assert settling.settled() == []


def test_percentiles_are_values_that_were_measured() -> None:
    assert percentiles([], (0.5,)) is None
    assert percentiles([3.0], (0.5, 0.99)) == [3.0, 3.0]
    assert percentiles(map(float, range(100)), (0.5, 0.99)) == [50.0, 99.0]


# --- what has become of the runs --------------------------------------------------------------------------------------


def test_branches_and_rounds_of_a_step_are_one_step() -> None:
    states = [
        state("a", steps=step("search[web]", 4) | step("search[papers]", 8) | step("plan", 1)),
        state(
            "b", steps=step("search[web]", 6) | {"open": {"step_id": "open", "started_at": None, "completed_at": None}}
        ),
    ]
    slowest = slowest_steps(states)
    assert [(each.step, each.times, each.median, each.longest, each.run) for each in slowest] == [
        ("search", 3, 6.0, 8.0, "a"),
        ("plan", 1, 1.0, 1.0, "a"),
    ]


def test_failures_are_counted_by_their_type_with_the_last_one_as_the_example() -> None:
    states = [
        state("a", status="failed", error_type="timed_out", error="no answer within 20 s"),
        state("b", status="failed", error_type="timed_out", error="60 s", updated_at="2026-01-05T10:00:00+00:30"),
        state("c", status="failed", error_type="timed_out", error="70 s", updated_at="2026-01-05T09:40:00Z"),
        state("d", status="failed", error=None),
        state("e"),
    ]
    assert failures(states) == [("timed_out", 3, "70 s", "c"), ("", 1, "", "d")]


def test_workflows_are_ranked_by_tokens_and_those_without_any_are_left_out() -> None:
    used = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 2, "cost_micro_usd": 7}
    states = [
        state("a", workflow_id="cheap", usage={"gen_ai.usage.input_tokens": 11}),
        state("b", workflow_id="dear", usage=used),
        state("c", workflow_id="dear", usage={"gen_ai.usage.output_tokens": 30}),
        state("d", workflow_id="free"),
    ]
    assert workflows(states) == [("dear", 2, Usage(10, 32, 7), "c"), ("cheap", 1, Usage(11, 0, 0), "a")]


def test_rejections_are_counted_by_code_with_the_first_one_as_the_example() -> None:
    rows: list[dict[str, Any]] = [
        {"code": "fenced", "detail": "token 1", "run_id": "a"},
        {"code": "unknown_run", "detail": "none", "run_id": None},
        {"code": "fenced", "detail": "token 2", "run_id": "b"},
    ]
    assert rejected(rows) == [("fenced", 2, "token 1", "a"), ("unknown_run", 1, "none", None)]


# --- what is shown ----------------------------------------------------------------------------------------------------

MOMENT = Moment(
    Progress(published=12_345, folded=11_345),
    1000.4,
    990.2,
    (0.0124, 1.26),
    Runs(Counter(completed=1200, failed=310, paused=12, running=150, pending=3), Usage(9_328_408, 385_028, 27_410_000)),
    tuple(range(40)),
)


def test_the_panel_fits_into_80_columns_and_has_every_figure() -> None:
    text = panel(MOMENT).plain
    assert max(map(len, text.splitlines())) <= 80
    for figure in (
        "12,345",
        "11,345",
        "1,000 events",
        "990/s",
        "12 ms",
        "1.3 s",
        "310 failed",
        "9,328,408 in",
        "$27.41",
    ):
        assert figure in text


def test_the_line_for_pipes_has_the_same_figures() -> None:
    shown = line(MOMENT)
    for figure in ("12,345", "11,345", "lag 1,000", "990/s", "p50 12 ms", "310 failed", "385,028 out"):
        assert figure in shown
    assert "no state has changed" in line(MOMENT._replace(latency=None))


def test_a_lag_is_drawn_as_high_as_it_is() -> None:
    assert sparkline((0, 1, 50, 100)) == " ▁▄█"
    assert sparkline((0, 0)) == "  "
    assert (seconds_text(0.0004), seconds_text(0.25), seconds_text(2.34)) == ("0 ms", "250 ms", "2.3 s")


class Terminal(Screen):
    """So many columns wide."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.terminal = True
        self.console.width = width


ROWS = [("runs", "run", "error"), ("12", "r" * 36, "no answer within twenty seconds\x1b[2J")]


def test_a_table_leaves_out_its_spare_column_before_the_last_one_becomes_short(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for width in (200, 75, 70, 30):
        Terminal(width).table(ROWS, right=[0], spare=[1])
    wide, cut, without, narrow = (part.splitlines()[1:] for part in capsys.readouterr().out.split("   runs")[1:])
    assert wide == [f"     12  {'r' * 36}  no answer within twenty seconds\\x1b[2J"]
    assert cut == [f"     12  {'r' * 36}  no answer within twenty sec…"]
    assert without == ["     12  no answer within twenty seconds\\x1b[2J"]
    assert narrow == ["     12  no answer within twe…"]


def test_spare_columns_go_one_after_the_other_until_what_stays_fits_uncut(capsys: pytest.CaptureFixture[str]) -> None:
    for width in (75, 70, 44):
        Terminal(width).table(ROWS, right=[0], spare=[2, 0])
    lines = capsys.readouterr().out.splitlines()[1::2]
    assert lines == [
        f"     12  {'r' * 36}  no answer within twenty sec…",
        f"     12  {'r' * 36}",
        f"   {'r' * 36}",
    ]


def test_a_table_in_a_pipe_is_complete(capsys: pytest.CaptureFixture[str]) -> None:
    Screen().table(ROWS, right=[0], spare=[1])
    assert capsys.readouterr().out.splitlines()[1] == f"     12  {'r' * 36}  no answer within twenty seconds\\x1b[2J"


def test_facts_are_wrapped_between_words_and_commands_never(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Terminal(30)
    screen.fact("what it had committed is not done again")
    screen.typed("get 6f1b8b0e-93a5-4c1e-8a52-0d7c3f4e5a6b")
    screen.names_and_values([("runs", "600: 531 completed, 58 failed"), ("x", "y")])
    assert capsys.readouterr().out.splitlines() == [
        "   what it had committed is",
        "   not done again",
        "   $ get 6f1b8b0e-93a5-4c1e-8a52-0d7c3f4e5a6b",
        "   runs  600: 531 completed,",
        "         58 failed",
        "   x     y",
    ]


# --- beginning and end ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ending", "kafka", "topics", "directory"),
    [
        (Ending(keep=False, local=True, started=True), False, True, False),
        (Ending(keep=False, local=True, started=False), True, True, False),
        (Ending(keep=True, local=True, started=True), True, True, True),
        (Ending(keep=False, local=False), True, False, False),
        (Ending(keep=True, local=False), True, True, True),
        (Ending(keep=True, local=True, started=True, interrupted=True), False, False, False),
        (Ending(keep=True, local=False, interrupted=True), True, False, False),
    ],
)
def test_what_stays(ending: Ending, kafka: bool, topics: bool, directory: bool) -> None:
    assert (ending.kafka_stays, ending.topics_stay, ending.all_stays) == (kafka, topics, directory)


def test_two_demos_do_not_use_the_local_broker_at_once_and_the_next_one_knows_what_the_last_left(
    tmp_path: Path,
) -> None:
    with take_turn(tmp_path) as turn:
        assert turn.last_prefix == ""
        turn.remember("demo-longer")
        turn.remember("demo-1")
        with pytest.raises(StateDirectory, match="another demo is using"), take_turn(tmp_path):
            pass
    with take_turn(tmp_path) as turn:
        assert turn.last_prefix == "demo-1"


@pytest.mark.parametrize(("name", "why"), [("absent.jsonl", "No such file"), (".", "Is a directory")])
def test_a_file_that_cannot_be_read_is_told_before_anything_is_started(tmp_path: Path, name: str, why: str) -> None:
    with pytest.raises(Configuration, match=f"cannot be read: {why}.*; expected a file of events"):
        run_demo(tmp_path / name)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_waits_for_the_end_of_what_must_not_be_torn(signum: signal.Signals) -> None:
    done = []

    def tear() -> None:
        with raised_as_keyboard_interrupt():
            with uninterrupted():
                os.kill(os.getpid(), signum)
                done.append("what was begun")
            done.append("what comes after")

    with pytest.raises(KeyboardInterrupt):
        tear()
    assert done == ["what was begun"]
