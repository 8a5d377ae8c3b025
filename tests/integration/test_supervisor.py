"""A worker of several processes on a real Kafka."""

from __future__ import annotations

import re
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from llm_orchestrator_state.engine.supervision.cores import cores
from llm_orchestrator_state.kafka.topics import TopicSet
from llm_orchestrator_state.local.ports import free_ports
from llm_orchestrator_state.local.process import Process
from llm_orchestrator_state.store.rocks import RocksStores
from tests.integration.agreement import assert_agreement
from tests.integration.harness import Stage, new_runs, until
from tests.integration.processes import Child, Processes


@pytest.fixture
def stage(kafka: str, topic_prefix: str, tmp_path: Path) -> Iterator[Stage]:
    made = Stage(kafka, topic_prefix, tmp_path, partitions=4)
    yield made
    made.close()


def started(worker: Child) -> list[tuple[str, int]]:
    """Identity and number of the processes, in the order of their starts."""
    return [(name, int(pid)) for name, pid in re.findall(r"worker (\S+) is process (\d+)", worker.log)]


def running(worker: Child) -> list[Process]:
    return [process for process in (Process.of(pid) for _, pid in started(worker)) if process.alive()]


def opened(worker: Child) -> list[tuple[str, int]]:
    """Identity and partition, each time that a process has begun to work on one."""
    return [(name, int(p)) for name, p in re.findall(r"\[(\S+)\] partition (\d+): from offset", worker.log)]


def shared_out(worker: Child) -> bool:
    """Whether the last owners of the four partitions are two, with two each."""
    owners = list({partition: name for name, partition in opened(worker)}.values())
    return len(owners) == 4 and {owners.count(name) for name in owners} == {2}


def figures(port: int, name: str) -> dict[str, float]:
    """The values of a metric by its labels, as the worker serves them now."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    except (ConnectionError, urllib.error.URLError):  # not there yet
        return {}
    found = re.findall(rf"(?m)^llm_orchestrator_state_{name}\{{(.*)\}} (\S+)$", text)
    return {labels: float(value) for labels, value in found}


def test_a_killed_process_comes_back_as_itself_while_the_other_goes_on_and_sigterm_ends_all(
    stage: Stage, processes: Processes
) -> None:
    [port] = free_ports(1)
    load = processes.load(seed=1, rate=1_000)
    worker = processes.worker("state", None, "--metrics-port", str(port), "--session-timeout", "30s", processes=2)
    until(lambda: len(figures(port, "position")) == 4 and shared_out(worker))
    (first, pid), (second, _) = started(worker)
    assert second == f"{first.removesuffix('-0')}-1"
    assert figures(port, "restarts_total") == {f'worker="{first}"': 0, f'worker="{second}"': 0}
    others = [partition for name, partition in opened(worker) if name == second]

    Process.of(pid).kill()
    worker.says(f"worker {first} was ended by signal 9 (Killed); it is started again in 1 s")
    until(lambda: len(figures(port, "position")) == 4 and shared_out(worker))
    assert [name for name, _ in started(worker)] == [first, second, first]
    assert figures(port, "restarts_total") == {f'worker="{first}"': 1, f'worker="{second}"': 0}
    assert [partition for name, partition in opened(worker) if name == second] == others

    load.send(signal.SIGTERM)
    assert load.ended() == 0, load.log
    until(lambda: stage.committed() == stage.ends("events"))
    worker.send(signal.SIGTERM)
    assert worker.ended() == 0, worker.log
    assert running(worker) == []
    folds = assert_agreement(stage, stage.stores())
    assert sum(fold.applied for fold in folds) > 1_000


def test_when_the_supervisor_is_killed_its_processes_leave_in_order_and_another_goes_on(
    stage: Stage, processes: Processes
) -> None:
    load = processes.load(seed=2, rate=500)
    dead = processes.worker("state", "twins", processes=2)
    until(lambda: shared_out(dead))
    dead.kill()
    until(lambda: running(dead) == [])
    assert len(re.findall(r"\[twins-[01]\] partitions .* commits", dead.log.rpartition("from offset")[2])) >= 2
    load.send(signal.SIGTERM)
    assert load.ended() == 0, load.log
    after = processes.worker("state", "twins", "--until-end", processes=2)
    assert after.ended() == 0, after.log
    assert running(after) == []
    assert_agreement(stage, stage.stores())


def test_until_end_takes_a_process_per_core_and_ends_when_all_is_judged(stage: Stage, processes: Processes) -> None:
    stage.publish(*new_runs(50))
    worker = processes.worker("state", None, "--until-end", processes=None)
    assert worker.ended() == 0, worker.log
    expected = min(cores(), 4)
    assert len(started(worker)) == (0 if expected == 1 else expected)
    assert running(worker) == []
    assert_agreement(stage, stage.stores())


def test_what_an_operator_must_act_on_ends_all_processes_with_its_exit_code_and_one_line(
    stage: Stage, processes: Processes
) -> None:
    RocksStores(stage.directory / "state", stage.topics.events, ("another", "cluster")).open(3).close()
    worker = processes.worker(processes=2)
    assert worker.ended() == 5, worker.log
    [line] = [line for line in worker.log.splitlines() if line.startswith("error: ")]
    assert "belongs to cluster and topic" in line
    assert worker.log.endswith(f"{line}\n")
    assert running(worker) == []
    until(lambda: stage.log.admin.members(stage.log.group) == set())


def test_topics_that_are_missing_are_told_once(stage: Stage, processes: Processes) -> None:
    prefix = f"{stage.topics.prefix}-absent"
    worker = processes.worker("state", None, "--topic-prefix", prefix, "--log-level", "error", processes=2)
    assert worker.ended() == 4
    assert worker.log.startswith(f"error: no topic set has the prefix '{TopicSet(prefix).prefix}'")
    assert worker.log.count("\n") == 1
