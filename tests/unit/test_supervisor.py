from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from llm_orchestrator_state.cli.flags import Given
from llm_orchestrator_state.cli.session import Session
from llm_orchestrator_state.cli.worker import process_count
from llm_orchestrator_state.cli.worker_processes import settings_of
from llm_orchestrator_state.engine.clock import SystemClock
from llm_orchestrator_state.engine.counts import Counts
from llm_orchestrator_state.engine.progress import Progress
from llm_orchestrator_state.engine.restoring import SoFar
from llm_orchestrator_state.engine.supervision.child import Child
from llm_orchestrator_state.engine.supervision.cores import cores
from llm_orchestrator_state.engine.supervision.policy import Backoff, Next, failure, next_after
from llm_orchestrator_state.engine.supervision.reports import Report, ReportReader, ReportWriter
from llm_orchestrator_state.engine.supervision.supervisor import Supervisor
from llm_orchestrator_state.errors import (
    Configuration,
    Connection,
    Fenced,
    OffsetMismatch,
    StateDirectory,
    StateError,
    TopicMismatch,
)
from llm_orchestrator_state.model.verdicts import Code
from llm_orchestrator_state.settings import Settings
from llm_orchestrator_state.settings_sources import as_environment, load

DEADLINE_S = 30.0
AT_WORK = Progress(
    (0, 3), (1,), Counts(5, 1, {Code.FENCED: 2}), 7, 4, {0: 12, 3: 9}, {"poll": 0.5}, {1: SoFar(100, 900, 50.0)}
)


# --- policy -----------------------------------------------------------------------------------------------------------


def test_the_wait_before_a_start_doubles_from_1_s_to_30_s_and_begins_anew_after_a_healthy_minute() -> None:
    backoff = Backoff()
    assert [backoff.delay_s(lived_s=0.5) for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    assert backoff.delay_s(lived_s=59.9) == 30
    assert backoff.delay_s(lived_s=60) == 1
    assert backoff.delay_s(lived_s=0.5) == 2


@pytest.mark.parametrize(
    ("code", "worked", "until_end", "expected"),
    [
        (-signal.SIGKILL, True, False, Next.START_AGAIN),
        (-signal.SIGKILL, False, False, Next.START_AGAIN),
        (-signal.SIGKILL, True, True, Next.START_AGAIN),
        (0, True, False, Next.START_AGAIN),  # somebody has sent it a SIGTERM
        (130, True, False, Next.START_AGAIN),
        (3, True, False, Next.START_AGAIN),
        (3, False, False, Next.FAIL),
        (1, True, False, Next.START_AGAIN),
        (1, False, False, Next.FAIL),
        *((code, worked, until_end, Next.FAIL)
          for code in (2, 4, 5, 8, 11) for worked in (True, False) for until_end in (True, False)),
        (0, True, True, Next.FINISH),
        (0, False, True, Next.FINISH),
        (3, True, True, Next.START_AGAIN),
    ],
)  # fmt: skip
def test_what_the_end_of_a_process_means(code: int, *, worked: bool, until_end: bool, expected: Next) -> None:
    assert next_after(code, worked=worked, until_end=until_end) is expected


@pytest.mark.parametrize("kind", [Connection, Configuration, TopicMismatch, StateDirectory, OffsetMismatch, Fenced])
def test_a_failure_is_of_the_class_that_has_its_exit_code(kind: type[StateError]) -> None:
    found = failure(kind.exit_code, "why")
    assert (type(found), str(found)) == (kind, "why")


def test_a_failure_nobody_foresaw_has_exit_code_1() -> None:
    assert failure(-9, "why").exit_code == failure(120, "why").exit_code == 1


# --- how many ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([("processes", "3")], 3),
        ([("processes", "3"), ("instance_id", "mine")], 3),
        ([("instance_id", "mine")], 1),
    ],
)
def test_the_number_of_processes_is_the_one_set_and_one_where_an_identity_is_given(
    flags: list[tuple[str, str]], expected: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LLM_ORCHESTRATOR_STATE_PROCESSES", raising=False)
    assert process_count(Session(Given(flags, None))) == expected


def test_a_process_has_the_workers_settings_and_leaves_its_metrics_to_the_supervisor(tmp_path: Path) -> None:
    whole = Settings(state_dir=tmp_path, processes=3, metrics_port=9464, properties={"a": "b,c"})
    each = settings_of(whole, "mine-2")
    assert (each.instance_id, each.processes, each.metrics_port) == ("mine-2", 1, None)
    assert load(environ=as_environment(each)) == each


HERE = cores(Path("absent"), Path("absent"))
"""Those that this process may run on."""


def control_groups(directory: Path, own: str, files: dict[str, str]) -> int:
    (directory / "own").write_text(own)
    for name, text in files.items():
        file = directory / "groups" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return cores(directory / "groups", directory / "own")


@pytest.mark.parametrize(
    ("own", "files", "expected"),
    [
        ("0::/\n", {"cpu.max": "100000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "max 100000\n"}, HERE),
        ("0::/\n", {"cpu.max": "50000 100000\n"}, 1),
        ("0::/\n", {"cpu.max": "6400000 100000\n"}, min(HERE, 64)),
        ("0::/pod/box\n", {"pod/box/cpu.max": "max 100000\n", "pod/cpu.max": "150000 100000\n"}, 1),
        ("0::/known/outside/only\n", {"cpu.max": "100000 100000\n"}, 1),
        ("3:cpu,cpuacct:/box\n1:memory:/\n",
         {"cpu,cpuacct/box/cpu.cfs_quota_us": "100000\n", "cpu,cpuacct/box/cpu.cfs_period_us": "100000\n"}, 1),
        ("3:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, HERE),
        ("2:cpuacct:/\n", {"cpuacct/cpu.max": "1 100000\n"}, HERE),
    ],
)  # fmt: skip
def test_a_container_has_the_whole_cores_of_its_quota_and_at_least_one(
    tmp_path: Path, own: str, files: dict[str, str], expected: int
) -> None:
    assert control_groups(tmp_path, own, files) == expected


# --- reports ----------------------------------------------------------------------------------------------------------


def test_a_report_arrives_as_it_was_told_also_in_pieces() -> None:
    reader, writer = os.pipe()
    there = ReportReader(reader)
    assert there.read() == []
    ReportWriter(writer).tell(Report(AT_WORK))
    ReportWriter(writer).tell(Report(error="no room\nleft"))
    assert there.read() == [Report(AT_WORK), Report(error="no room\nleft")]
    os.write(writer, b'{"error":"a')
    assert there.read() == []
    os.write(writer, b'b"}\n{}\n')
    os.close(writer)
    assert there.read() == [Report(error="ab"), Report()]
    os.close(reader)


def test_nobody_waits_for_a_supervisor_that_does_not_read_and_what_it_then_reads_is_whole() -> None:
    reader, writer = os.pipe()
    here = ReportWriter(writer)
    long = Report(AT_WORK._replace(positions=dict.fromkeys(range(500), 10**9)))
    for _ in range(100):
        here.tell(long)
    there = ReportReader(reader)
    found = there.read()
    assert 1 < len(found) < 100
    here.tell(Report(AT_WORK))
    assert [*found, *there.read()] == [long] * (len(found) + 1) + [Report(AT_WORK)]
    os.close(reader)
    here.tell(long)  # nor does it fail when it has gone
    os.close(writer)


# --- processes: small programs of the shell in place of workers -------------------------------------------------------

# what a process at work looks like from outside: it tells so, and lives until its stdin ends or a signal comes
WORKING = 'printf "%s\\n" "$1"; exec cat'
IGNORES_SIGTERM = f"trap '' TERM; {WORKING}"


def child(name: str, program: str, report: Report | None = None) -> Child:
    text = msgspec.json.encode(report or Report(AT_WORK)).decode()
    return Child(name, ["sh", "-c", program, "sh", text], dict(os.environ))


def supervised(*children: Child, until_end: bool = False) -> Supervisor:
    return Supervisor(children, SystemClock(), until_end=until_end)


def until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.01)


def signal_when(*steps: tuple[Callable[[], object], signal.Signals]) -> threading.Thread:
    """To this process: each signal when what stands before it holds."""

    def send() -> None:
        for holds, number in steps:
            until(holds)
            os.kill(os.getpid(), number)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


def assert_none_runs(*children: Child) -> None:
    assert [each.pid for each in children] == [None] * len(children)


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_all(number: signal.Signals, expected: int) -> None:
    both = child("a", WORKING), child("b", WORKING)
    supervisor = supervised(*both)
    handlers = signal.getsignal(number), signal.getsignal(signal.SIGCHLD)
    sender = signal_when((lambda: len(supervisor.latest) == 2, number))
    assert supervisor.run() == expected
    sender.join()
    assert_none_runs(*both)
    assert supervisor.latest == {}
    assert (signal.getsignal(number), signal.getsignal(signal.SIGCHLD)) == handlers


def test_a_second_signal_does_not_wait() -> None:
    both = child("a", IGNORES_SIGTERM), child("b", WORKING)
    supervisor = supervised(*both)
    sender = signal_when(
        (lambda: len(supervisor.latest) == 2, signal.SIGTERM), (lambda: "b" not in supervisor.latest, signal.SIGTERM)
    )
    assert supervisor.run() == 128 + signal.SIGTERM
    sender.join()
    assert_none_runs(*both)


def test_what_does_not_end_is_killed_when_the_patience_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("llm_orchestrator_state.engine.supervision.supervisor.STOP_PATIENCE_S", 0.2)
    stubborn = child("stubborn", IGNORES_SIGTERM)
    supervisor = supervised(stubborn)
    sender = signal_when((lambda: supervisor.latest, signal.SIGTERM))
    with pytest.raises(StateError, match=r"worker stubborn was ended by signal 9 \(Killed\)"):
        supervisor.run()
    sender.join()
    assert_none_runs(stubborn)


def test_what_an_operator_must_act_on_ends_all_and_is_told_in_its_own_words() -> None:
    working = child("a", WORKING)
    failing = child("b", 'printf "%s\\n" "$1"; exit 5', Report(error="the disk is full"))
    with pytest.raises(StateDirectory, match=r"^the disk is full$"):
        supervised(working, failing).run()
    assert_none_runs(working, failing)


def test_a_failure_before_any_partition_is_at_work_ends_all() -> None:
    with pytest.raises(Connection, match="worker a ended with exit code 3; its log tells why"):
        supervised(child("a", "exit 3"), child("b", "exec cat")).run()


def test_a_process_that_fails_later_is_started_again_under_its_name(tmp_path: Path) -> None:
    program = (
        f'printf "%s\\n" "$1"; echo >>{tmp_path}/starts; [ $(wc -l <{tmp_path}/starts) -gt 1 ] || exit 3; exec cat'
    )
    both = child("a", WORKING), child("b", f"until [ -e {tmp_path}/go ]; do sleep 0.01; done; {program}")
    supervisor = supervised(*both)

    def started_again() -> bool:
        if "a" in supervisor.latest:
            (tmp_path / "go").touch()
        return supervisor.restarts == {"a": 0, "b": 1} and len(supervisor.latest) == 2

    sender = signal_when((started_again, signal.SIGTERM))
    assert supervisor.run() == 0
    sender.join()
    assert supervisor.restarts == {"a": 0, "b": 1}
    assert_none_runs(*both)


def test_the_first_that_has_come_to_the_end_of_the_log_ends_all() -> None:
    both = child("a", WORKING), child("b", "exit 0")
    assert supervised(*both, until_end=True).run() == 0
    assert_none_runs(*both)


HOLDS_A_LIFELINE = """
import sys, threading
from llm_orchestrator_state.engine.supervision import lifeline
lifeline.ORPHAN_PATIENCE_S = 0.2
let_go = threading.Event()
lifeline.hold(0, let_go.set)
print("holding", flush=True)
let_go.wait()
if sys.argv[1] == "hangs":
    threading.Event().wait()
sys.exit(7)
"""


@pytest.mark.parametrize(("what", "code"), [("ends", 7), ("hangs", 1)])
def test_a_process_whose_supervisor_is_gone_ends_in_order_or_soon(what: str, code: int) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS_A_LIFELINE, what], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == b"holding\n"
        assert process.poll() is None
        process.stdin.close()
        assert process.wait(DEADLINE_S) == code
