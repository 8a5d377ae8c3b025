from __future__ import annotations

import asyncio
import uuid
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from llm_orchestrator_state.client.producer import Delivered
from llm_orchestrator_state.client.reading.kafka_core import KafkaCore
from llm_orchestrator_state.errors import Closed, EventRejected, TimedOut
from tests.cluster import KafkaCluster
from tests.integration.harness import DEADLINE_S, Stage, event, until, whole_run
from tests.integration.reading import async_reader, delivered, reader, settled, working


def run(work: Coroutine[Any, Any, None]) -> None:
    async def alone() -> None:
        await work
        assert asyncio.all_tasks() == {asyncio.current_task()}, "nothing is left behind"

    asyncio.run(alone())


def test_the_asynchronous_reader_does_what_the_blocking_one_does(stage: Stage) -> None:
    run_id, other = str(uuid.uuid4()), str(uuid.uuid4())
    stage.publish(*whole_run(run_id))
    stage.run_to_end()
    settled(stage)

    async def work() -> None:
        async with async_reader(stage, checkpoints=True) as runs:
            seen: list[int] = []
            assert (await runs.ready(DEADLINE_S, lambda progress: seen.append(progress.remaining))).remaining == 0
            assert seen[-1] == 0
            state = await runs.get(run_id)
            assert state is not None
            assert state.status == "completed"
            assert (await runs.list(status="completed")).ids == [run_id]
            assert (await runs.by_workflow_id("triage")).ids == [run_id]
            assert (await runs.counts())[state.status] == 1
            assert (await runs.lag()).records == 0
            latest = await runs.latest_checkpoint(run_id)
            assert latest is not None
            assert latest.version == 6
            assert (await runs.resume_point(run_id)).done == {"step-0": {"n": 0}, "step-1": {"n": 1}}
            changes = runs.watch(current=True)
            assert (await anext(changes)).run_id == run_id
            [created, again] = await asyncio.to_thread(
                delivered, stage, event(other, "workflow_created"), event(other, "workflow_created", 1)
            )
            first, second = await asyncio.gather(
                runs.applied(created, DEADLINE_S), runs.applied(again, DEADLINE_S), return_exceptions=True
            )
            assert not isinstance(first, BaseException)
            assert first is not None
            assert isinstance(second, EventRejected)
            assert (await anext(changes)).run_id == other
            assert (await runs.wait_for(other, lambda state: state.version == 1, DEADLINE_S)).version == 1
            changes.close()
            assert [change async for change in changes] == []

    with working(stage):
        run(work())


def test_cancelled_calls_leave_nothing_behind(stage: Stage) -> None:
    nobody = Delivered(str(uuid.uuid4()), str(uuid.uuid4()), 0, 5)

    async def cancelled(work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(work)
        await asyncio.sleep(0)  # it has begun, and waits
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def work() -> None:
        opening = async_reader(stage)
        await cancelled(opening.__aenter__())
        with pytest.raises(Closed):
            await opening.get(uuid.uuid4())
        async with async_reader(stage) as runs:
            await runs.ready()
            changes = runs.watch()
            await cancelled(runs.applied(nobody))
            await cancelled(runs.wait_for(nobody.run_id, lambda _: True))
            await cancelled(anext(changes))
            with pytest.raises(TimedOut, match="nothing was heard"):
                await runs.applied(nobody, 0.1)
            with pytest.raises(TimedOut):
                await runs.wait_for(nobody.run_id, lambda _: True, 0.1)
            core = await runs._core()
            assert isinstance(core, KafkaCore)
            until(lambda: not core._settling)
        with pytest.raises(Closed):
            await anext(changes)

    run(work())


def test_an_outage_is_waited_through_and_can_be_seen(tmp_path: Path) -> None:
    run_id, later = str(uuid.uuid4()), str(uuid.uuid4())
    with KafkaCluster(tmp_path / "kafka") as kafka:
        stage = Stage(kafka.bootstrap, "outage", tmp_path)
        stage.publish(event(run_id, "workflow_created"))
        stage.run_to_end()
        with reader(stage) as runs:
            until(lambda: runs.get(run_id) is not None)
            level = runs.lag()
            kafka.pause(0)
            lag = runs.lag()
            assert lag.records is None
            assert lag.level_at == level.level_at
            assert runs.get(run_id) is not None
            kafka.resume(0)
            stage.publish(event(later, "workflow_created"))
            stage.run_to_end()
            until(lambda: runs.get(later) is not None)
            until(lambda: runs.lag().records == 0)
        stage.close()
