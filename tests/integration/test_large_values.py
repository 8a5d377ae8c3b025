"""Large values on a real broker: found by an index of the outputs topic, fetched by offset, bounded and right."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llm_orchestrator_state.client.reading import StateReader
from llm_orchestrator_state.client.reading.kafka_core import KafkaCore
from llm_orchestrator_state.errors import Connection
from llm_orchestrator_state.model import WorkflowState
from llm_orchestrator_state.store.rocks import RocksStores
from tests.integration.harness import DEADLINE_S, Stage, until
from tests.integration.outputs import Hand, ref, referring
from tests.integration.reading import async_reader, reader, settled
from tests.readme import CHECKOUT, program


@pytest.fixture
def hand(stage: Stage) -> Hand:
    return Hand(stage)


def a_text(n: int, size: int = 20_000) -> bytes:
    return json.dumps({"n": n, "text": f"{uuid.UUID(int=n).hex}" * (size // 32)}).encode()


def new_run() -> str:
    return str(uuid.uuid4())


def core_of(runs: StateReader) -> KafkaCore:
    core = runs._opening.opened
    assert isinstance(core, KafkaCore)
    return core


def outputs_of(state: WorkflowState | None) -> list[int]:
    assert state is not None
    return [step.outputs["n"] for step in state.steps.values()]


def write_run(hand: Hand, run_id: str, numbers: range) -> None:
    """A transaction for each output, as a processor commits that is level."""
    for last in numbers:
        whole = referring(run_id, [(n, a_text(n)) for n in range(numbers.start, last + 1)], version=last)
        hand.run(whole, {last: a_text(last)})


def test_a_topic_set_without_references_is_read_without_its_outputs_topic(stage: Stage, hand: Hand) -> None:
    run_id = new_run()
    hand.run(referring(run_id, []), {1: a_text(1)})
    settled(stage)
    with reader(stage) as runs:
        assert runs.get(run_id) is not None
        assert len(list(runs.list())) == 1
        assert runs.lag().records == 0
        assert core_of(runs)._values.threads == []
        assert core_of(runs).followed.outputs == {}


def test_values_are_fetched_where_they_are_asked_for_and_kept_within_bounds(stage: Stage, hand: Hand) -> None:
    first, second = new_run(), new_run()
    write_run(hand, first, range(1, 31))
    write_run(hand, second, range(1, 4))
    settled(stage)
    with reader(stage) as runs:
        core = core_of(runs)
        core._values._cache._limit = 200_000
        for _ in range(3):
            assert outputs_of(runs.get(first)) == list(range(1, 31))
            assert outputs_of(runs.get(second)) == [1, 2, 3]
        assert {str(state.id): len(outputs_of(state)) for state in runs.list()} == {first: 30, second: 3}
        assert 0 < core._values._cache.bytes <= 200_000
        until(lambda: core._values._requests == [])  # the thread that answers forgets them after the answer


def test_requests_at_once_share_their_fetches(stage: Stage, hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = new_run()
    write_run(hand, run_id, range(1, 21))
    settled(stage)
    with reader(stage) as runs:
        runs.ready(DEADLINE_S)
        values = core_of(runs)._values
        fetched: list[int] = []
        read = values._read

        def counted(*arguments: Any) -> Iterator[Any]:
            for found in read(*arguments):
                fetched.append(found[0].offset)
                yield found

        monkeypatch.setattr(values, "_read", counted)
        together = threading.Barrier(16)

        def ask() -> None:
            together.wait(DEADLINE_S)
            assert outputs_of(runs.get(run_id)) == list(range(1, 21))
            answered.append(True)

        answered: list[bool] = []
        threads = [threading.Thread(target=ask) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(DEADLINE_S)
        assert len(answered) == 16
        assert len(fetched) == len(set(fetched)) == 20


def test_what_changes_while_a_reader_runs_is_told_with_its_values(stage: Stage, hand: Hand) -> None:
    run_id = new_run()
    with reader(stage) as runs, runs.watch() as changes:
        for version in range(1, 21):
            # each time the old output goes, in the transaction that writes the new one
            texts: dict[int, bytes | None] = {version: a_text(version)}
            if version > 1:
                texts[version - 1] = None
            hand.run(referring(run_id, [(version, a_text(version))], version), texts)
            change = changes.next(DEADLINE_S)
            assert change is not None
            assert outputs_of(change.state) == [change.state.version if change.state else 0]
        hand.commit(("outputs", f"{run_id}/20", None), ("state", run_id, None))
        until(lambda: runs.get(run_id) is None)
        assert core_of(runs)._values._cache.bytes == 0, "what was deleted is in no cache"


def test_whoever_reads_while_outputs_come_and_go_gets_whole_states(stage: Stage, hand: Hand) -> None:
    run_id = new_run()
    hand.run(referring(run_id, [(1, a_text(1))]), {1: a_text(1)})
    over = threading.Event()

    def write() -> None:
        for version in range(2, 150):
            hand.run(
                referring(run_id, [(version, a_text(version))], version),
                {version: a_text(version), version - 1: None},
            )
        over.set()

    writer = threading.Thread(target=write)
    seen: list[int] = []

    async def read() -> None:
        async with async_reader(stage) as runs:
            await runs.ready()
            writer.start()
            while not over.is_set():
                state = await runs.get(run_id)
                assert state is not None
                assert outputs_of(state) == [state.version]
                [listed] = await runs.list()
                assert outputs_of(listed) == [listed.version]
                seen.append(state.version)

    asyncio.run(read())
    writer.join(DEADLINE_S)
    assert seen == sorted(seen)
    assert len(set(seen)) > 5


def test_a_directory_keeps_where_the_values_are_and_no_value(stage: Stage, hand: Hand, tmp_path: Path) -> None:
    directory = tmp_path / "cache"
    run_id = new_run()
    write_run(hand, run_id, range(1, 6))
    settled(stage)
    with reader(stage, directory=directory) as runs:
        assert outputs_of(runs.get(run_id)) == [1, 2, 3, 4, 5]
    hand.run(referring(run_id, [(6, a_text(6))], 6), {6: a_text(6), 1: None})
    settled(stage)
    with reader(stage, directory=directory) as runs:
        assert outputs_of(runs.get(run_id)) == [6]
        [feed] = core_of(runs).followed.outputs.values()
        partition = feed.place.partition
    admin = stage.log.admin
    topic = admin.topics([stage.topics.outputs])[stage.topics.outputs]
    assert topic is not None
    stores = RocksStores(directory, stage.topics.outputs, ("reader", admin.cluster_id, topic.topic_id))
    store = stores.open_read_only(partition)
    assert store is not None
    assert [key for key, _ in store.items()] == [f"{run_id}/{n}".encode() for n in range(2, 7)]
    assert all(len(offset) < 5 for _, offset in store.items())
    store.close()


def test_a_large_value_of_one_run_does_not_hold_up_what_else_is_asked(stage: Stage, hand: Hand) -> None:
    large, small = new_run(), new_run()
    text = a_text(1, 6_000_000)
    hand.run(referring(large, [(1, text)]), {1: text})
    hand.run(referring(small, []), {})
    settled(stage)
    with reader(stage) as runs, runs.watch(current=True) as changes:
        fetching = threading.Thread(target=runs.get, args=(large,))
        fetching.start()
        while fetching.is_alive():
            assert runs.get(small) is not None
            assert runs.lag().records == 0
        told = {
            change.run_id: change.state for change in (changes.next(DEADLINE_S), changes.next(DEADLINE_S)) if change
        }
        assert set(told) == {large, small}
        assert outputs_of(told[large]) == [1]


def test_the_consumer_in_the_readme_tells_large_values(stage: Stage, hand: Hand) -> None:
    run_id, other = new_run(), new_run()
    whole = referring(run_id, [(2, b'{"large": 2}')], version=2)
    whole["context"], whole["context_ref"] = "null", ref(3, b'{"large": 3}')
    hand.run(referring(run_id, [(1, b"1")]), {1: b"1"})
    hand.run(whole, {2: b'{"large": 2}', 3: b'{"large": 3}', 1: None})
    hand.run(referring(other, []), {})
    command = [sys.executable, "-c", program("A consumer"), stage.bootstrap, stage.topics.prefix]
    with subprocess.Popen(
        command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as consumer:
        patience = threading.Timer(DEADLINE_S, consumer.kill)
        patience.start()
        assert consumer.stdout
        told: dict[str, str] = {}
        while "'version': 2" not in told.get(run_id, "") or other not in told:
            line = consumer.stdout.readline()
            assert line
            told_id, _, text = line.rstrip().partition(" ")
            told[told_id] = text
        hand.run(referring(run_id, [(4, b"4")], version=3), {4: b"5"})
        ended = consumer.stdout.read()
        patience.cancel()
    assert "'context': {'large': 3}" in told[run_id]
    assert "'outputs': {'large': 2}" in told[run_id]
    assert "'context': {}" in told[other]
    assert (ended, consumer.returncode) == ("", 1), "a value that is not the one that was written is not told"


def test_a_value_that_cannot_be_fetched_is_an_error_of_the_connection(stage: Stage, hand: Hand) -> None:
    run_id = new_run()
    hand.run(referring(run_id, [(1, a_text(1))]), {1: a_text(1)})
    settled(stage)
    with reader(stage) as runs:
        runs.ready(DEADLINE_S)
        values = core_of(runs)._values
        values._fetched_s = 0.0
        with pytest.raises(Connection, match=r"could not be read .*check the brokers"):
            runs.get(run_id)
        values._fetched_s = DEADLINE_S
        assert outputs_of(runs.get(run_id)) == [1]
