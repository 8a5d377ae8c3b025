"""Users' programs, the README's among them, are checked by mypy --strict as the package's own types say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.readme import README, blocks

PROGRAM = """
from datetime import UTC, datetime

from llm_orchestrator_state import AsyncPublisher, Delivery, Publisher, run_id_for
from llm_orchestrator_state.errors import EventRejected
from llm_orchestrator_state.model import StepStarted, TransitionEvent, WorkflowState
from llm_orchestrator_state.testing import InMemoryPipeline


def handle(publisher: Publisher, state: WorkflowState) -> str:
    with publisher.workflow("triage", name="Triage", run_id=run_id_for("order-1234")) as run:
        with run.step("classify", key=1) as step:
            step.outputs = {"label": "bug"}
            step.usage(input_tokens=812, output_tokens=14)
        for attempt in run.attempts("answer", max_attempts=3):
            with attempt as step:
                step.heartbeat()
    delivery: Delivery = publisher.publish(
        TransitionEvent(run_id=run.run_id, occurred_at=datetime.now(UTC), transition=StepStarted(step_id="a"))
    )
    pipeline = InMemoryPipeline()
    try:
        with publisher.claim(state, reader=pipeline.reader()) as claimed:
            claimed.pause("approval")
    except EventRejected as rejected:
        return rejected.code.value
    return f"{delivery.result(5).offset + 1} {delivery.done()}"


async def handle_async(publisher: AsyncPublisher, state: WorkflowState) -> int:
    async with publisher.workflow("triage") as run, run.step("classify") as step:
        step.outputs = 1
    async for attempt in run.attempts("answer"):
        async with attempt as step:
            await step.heartbeat()
    pipeline = InMemoryPipeline()
    async with publisher.claim(state, reader=pipeline.async_reader()) as claimed:
        delivery = await claimed.pause()
    return (await delivery).offset
"""

MISTAKES = """
from llm_orchestrator_state import AsyncPublisher, Publisher


async def mistaken(publisher: Publisher, other: AsyncPublisher) -> None:
    with publisher.attach("5e4b1c52-3c1e-4b11-9a63-111111111111"):
        pass
    with other.workflow("triage"):
        pass
    publisher.publish({"run_id": 1})
    publisher.workflow("triage", run_id=7)
"""


READING = """
from datetime import timedelta
from uuid import UUID

from llm_orchestrator_state import AsyncPublisher, AsyncStateReader, Publisher, StateReader
from llm_orchestrator_state.model import Checkpoint, WorkflowState


def read(reader: StateReader, publisher: Publisher, run_id: UUID) -> list[Checkpoint]:
    found: WorkflowState | None = reader.get(run_id)
    page = reader.list(status="failed", labels={"team": "a"}, stale_for=timedelta(minutes=5), limit=10)
    more = reader.list(cursor=page.cursor) if page.cursor else []
    point = reader.resume_point(run_id)
    with reader.watch(current=True, active=True) as changes:
        for change in changes:
            print(change.state.usage if change.state else change.run_id, len(page) + len(more), found)
    waited: WorkflowState = reader.wait_for(run_id, lambda state: state.is_active(), timeout_s=1)
    with publisher.claim(point.state, reader=reader) as run:
        applied: WorkflowState | None = reader.applied(run.pause("approval"), timeout_s=1)
        run.confirm(reader)
    print(waited, applied, reader.lag().records, reader.ready().remaining, {**reader.counts()})
    return reader.checkpoints(run_id)


async def read_async(reader: AsyncStateReader, publisher: AsyncPublisher, run_id: UUID) -> WorkflowState | None:
    async with reader.watch() as changes:
        async for change in changes:
            print(change.run_id)
    async with publisher.claim((await reader.resume_point(run_id)).state, reader=reader) as run:
        await run.confirm(reader)
        return await reader.applied(await run.pause())
"""


def mypy(directory: Path, **programs: str) -> subprocess.CompletedProcess[str]:
    """programs: by name."""
    for name, program in programs.items():
        (directory / f"{name}.py").write_text(program)
    # no configuration: what an installed package's user has
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", "", "--cache-dir", "cache"]
    files = [f"{name}.py" for name in programs]
    return subprocess.run([*command, *files], cwd=directory, capture_output=True, text=True, check=False)


def test_a_users_program_is_typed_through_and_through(tmp_path: Path) -> None:
    right = mypy(tmp_path, publishing=PROGRAM, reading=READING, **readme_programs())
    assert right.returncode == 0, right.stdout + right.stderr
    wrong = mypy(tmp_path, mistakes=MISTAKES)
    found = {line.split(":")[1] for line in wrong.stdout.splitlines() if ": error:" in line}
    assert found == {"6", "8", "10", "11"}, wrong.stdout


def readme_programs() -> dict[str, str]:
    """All of the README's Python that imports this package."""
    programs = [block.text for block in blocks(README.read_text()) if block.language == "python"]
    ours = {f"readme_{n}": text for n, text in enumerate(programs) if "from llm_orchestrator_state" in text}
    assert len(ours) >= 6
    return ours
