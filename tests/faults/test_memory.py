"""Memory stays below the setting, whatever the work is and however slow or gone the other side is.

Peaks are VmHWM of the process itself, interpreter and all (proc(5)).
"""

from __future__ import annotations

import json
import random
import sys
import time
import uuid
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from llm_orchestrator_state.model.records import EventRecord
from llm_orchestrator_state.wire.jsonlines import parse_line
from tests.benchmarks.workload import SHAPES, of_steps, workload
from tests.cluster import KafkaCluster
from tests.faults import frames
from tests.faults.proxied import ProxiedCluster
from tests.faults.proxy import BOTH, CALM, Conditions
from tests.faults.scene import topic_set
from tests.integration.harness import Stage, event, until
from tests.integration.processes import Child, Processes

MIB = 1024 * 1024
MEMORY = 512 * MIB
"""As one of two processes has by default."""

LEAST = 256 * MIB
"""That a process may be given."""

CLIENT = 400 * MIB
"""For a publisher or a reader with a full queue of 64 MiB."""

UNHURRIED = ("--commit-interval", "30s", "--transaction-timeout", "60s")
"""So that memory bounds a transaction, and time does not."""

TIMEOUT_S = 120.0
QUIET_S = 3.0
"""A fetch from the broker beside it takes milliseconds."""


def peak(child: Child) -> int:
    """Bytes; 0 of a process that is gone."""
    try:
        status = Path(f"/proc/{child.process.pid}/status").read_text()
    except FileNotFoundError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")), 0)


def peak_until_it_ends(child: Child) -> int:
    found = 0

    def ended() -> bool:
        nonlocal found
        found = max(found, peak(child))
        return child.process.poll() is not None

    until(ended, TIMEOUT_S)
    assert child.process.returncode == 0, child.log
    print(f"peak {found / MIB:.0f} MiB")
    return found


def peak_when_it_grows_no_more(child: Child) -> int:
    found, at = 0, time.monotonic()

    def quiet() -> bool:
        nonlocal found, at
        now = peak(child)
        assert now > 0, child.log
        if now > found:
            found, at = now, time.monotonic()
        return time.monotonic() > at + QUIET_S

    until(quiet, TIMEOUT_S)
    return found


def large_outputs(runs: int, size: int) -> Iterator[EventRecord]:
    """Ten runs at once, of thirty steps, each with so many bytes."""
    yield from workload(of_steps(30, 10, result_digits=size), runs * 63)


def saved_states(number: int, size: int = 7 * MIB) -> Iterator[EventRecord]:
    """Runs of about as much as a state may have, each saved by one event."""
    for n in range(number):
        run = str(uuid.UUID(int=n + 1))
        at = "2026-01-05T09:30:00Z"
        step = {"step_id": "s", "status": "completed", "retry_count": 0, "outputs": None}
        steps = {f"s{k}": {**step, "step_id": f"s{k}", "outputs": random.Random(k).randbytes(350).hex()}
                 for k in range(size // 800)}  # fmt: skip
        saved = {"id": run, "workflow_id": "w", "workflow_name": "W", "status": "running", "started_at": at,
                 "updated_at": at, "context": {}, "steps": steps}  # fmt: skip
        yield parse_line(json.dumps({"run_id": run, "type": "workflow_saved", "occurred_at": at, "state": saved}))
        yield event(run, "step_started", 1, step_id="another", attempt=1)


WORK: dict[str, tuple[int, Any]] = {
    "states of 18 KB": (2, lambda: islice(workload(SHAPES["B"]._replace(active=40), 40_000), 40_000)),
    "outputs of 20 KB": (2, lambda: large_outputs(10, 20_000)),
    "32 partitions": (32, lambda: workload(SHAPES["A"], 30_000)),
    "events of 7 MB": (2, lambda: saved_states(24)),
}


@pytest.fixture
def staged(kafka: str, topic_prefix: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stage]:
    made = Stage(kafka, topic_prefix, tmp_path, partitions=request.param)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("staged", "work"),
    [(partitions, name) for name, (partitions, _) in WORK.items()],
    indirect=["staged"],
    ids=list(WORK),
)
def test_a_worker_that_catches_up_stays_below_its_memory(staged: Stage, work: str) -> None:
    events = WORK[work][1]()
    while some := list(islice(events, 2_000)):
        staged.publish(*some)
    started = Processes(staged)
    try:
        flags = ("--memory", str(MEMORY), "--until-end", *UNHURRIED)
        assert peak_until_it_ends(started.worker("state", "w0", *flags)) < MEMORY
        # once more from nothing but the state topic
        assert peak_until_it_ends(started.worker("cold", "w0", *flags)) < MEMORY
    finally:
        started.kill()


def test_a_worker_whose_transactions_do_not_end_takes_in_no_more_than_its_memory(
    proxied: ProxiedCluster, topic_prefix: str, tmp_path: Path
) -> None:
    """Events keep coming, nearly three hundred MB of them, and it judges none of these: a commit is under way all the time."""
    [network] = proxied.proxies
    stage = topic_set(proxied, topic_prefix, tmp_path)
    started = Processes(stage, proxied.proxied)
    try:
        worker = started.worker("state", "w0", "--memory", str(LEAST))
        worker.says("from offset", 2)
        network.now(Conditions(held=BOTH, apis=frames.TRANSACTION))
        events = large_outputs(90, 100_000)
        while some := list(islice(events, 500)):
            stage.publish(*some)
        found = peak_when_it_grows_no_more(worker)
        print(f"peak {found / MIB:.0f} MiB")
        assert found < LEAST
    finally:
        network.now(CALM)
        started.kill()
        stage.close()


@pytest.mark.long
def test_a_worker_whose_broker_is_stopped_again_and_again_stays_below_its_memory(tmp_path: Path) -> None:
    with KafkaCluster(tmp_path / "kafka") as kafka:
        stage = Stage(kafka.bootstrap, "slow", tmp_path)
        events = workload(SHAPES["A"], 400_000)
        while some := list(islice(events, 20_000)):
            stage.publish(*some)
        started = Processes(stage)
        try:
            worker = started.worker("state", "w0", "--memory", str(MEMORY), "--until-end")
            worker.says("from offset")
            for _ in range(3):
                kafka.pause(0)
                assert worker.alive_for(3)
                kafka.resume(0)
                worker.alive_for(0.3)
            assert peak_until_it_ends(worker) < MEMORY
        finally:
            started.kill()
            stage.close()


def greedy(stage: Stage, started: Processes, what: str) -> Child:
    command = [sys.executable, "-m", "tests.faults.greedy", what, stage.bootstrap, stage.topics.prefix]
    child = started.start(command)
    child.says("at work")
    return child


def test_a_publisher_whose_broker_is_gone_waits_with_a_full_queue_and_is_then_told(tmp_path: Path) -> None:
    with KafkaCluster(tmp_path / "kafka") as kafka:
        stage = Stage(kafka.bootstrap, "gone", tmp_path)
        started = Processes(stage)
        try:
            child = greedy(stage, started, "publisher")
            kafka.pause(0)
            assert child.process.stdin
            child.process.stdin.write(b"\n")
            child.process.stdin.flush()
            assert peak_until_it_ends(child) < CLIENT
            assert "refused: 1" in child.log, "so many events were not delivered"
        finally:
            kafka.resume(0)
            started.kill()
            stage.close()


def test_a_reader_does_not_grow_with_changes_that_its_watcher_does_not_take(stage: Stage, processes: Processes) -> None:
    child = greedy(stage, processes, "watcher")
    events = workload(SHAPES["B"]._replace(active=10, steps=10), 10_000)
    peaks = []
    for _ in range(2):
        stage.publish(*islice(events, 5_000))
        stage.run_to_end()
        peaks.append(peak(child))
    print(f"peaks {[found // MIB for found in peaks]} MiB")
    assert child.process.poll() is None
    assert peaks[1] < peaks[0] + 32 * MIB
