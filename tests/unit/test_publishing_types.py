"""A user's program is checked by mypy --strict as the package's own types say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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
        with publisher.claim(state, reader=pipeline) as claimed:
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
    async with publisher.claim(state, reader=pipeline.async_reader) as claimed:
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


def mypy(directory: Path, program: str) -> subprocess.CompletedProcess[str]:
    file = directory / "program.py"
    file.write_text(program)
    # no configuration: what an installed package's user has
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", "", "--cache-dir", "cache", file.name]
    return subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False)


def test_a_users_program_is_typed_through_and_through(tmp_path: Path) -> None:
    right = mypy(tmp_path, PROGRAM)
    assert right.returncode == 0, right.stdout + right.stderr
    wrong = mypy(tmp_path, MISTAKES)
    found = {line.split(":")[1] for line in wrong.stdout.splitlines() if ": error:" in line}
    assert found == {"6", "8", "10", "11"}, wrong.stdout
