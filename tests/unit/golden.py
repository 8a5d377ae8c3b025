"""The golden files: ``python -m tests.unit.golden`` writes them anew, as the code is now.

They pin the bytes of every kind of message and what the fold makes of a fixed history. Logs hold such bytes for years,
and are replayed by later versions: a line that is there never changes its meaning, lines are only added. Messages of the
history that the file holds already are kept, so that writing it anew shows in the diff what would be judged otherwise.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from pathlib import Path
from random import Random
from typing import Any

from llm_orchestrator_state.model.records import EventRecord
from llm_orchestrator_state.wire.codec import Codec
from tests.unit import outputs
from tests.unit.histories import random_history
from tests.unit.partition import Partition, header
from tests.unit.records import FIELDS, OTHER_RUN, RUN, T0, event, state, step

DIRECTORY = Path(__file__).parents[1] / "data" / "golden"
MESSAGES = DIRECTORY / "messages.jsonl"
FOLD = DIRECTORY / "fold.jsonl"
OUTCOME = DIRECTORY / "fold.outcome.json"
OUTPUTS_FOLD = DIRECTORY / "outputs.jsonl"
"""A history of its own, of a topic set in which values go out."""
OUTPUTS_OUTCOME = DIRECTORY / "outputs.outcome.json"

TIDY_RUN = "3d0c6e5a-52f4-4f0c-9a53-5f5f1f6b7c11"

FULL_STATE = state(
    "paused",
    step("b", "completed", started_at=T0 + 1, completed_at=T0 + 2, outputs='{"text":"é😀"}', attempt=2, retry_count=1,
         usage={"gen_ai.usage.input_tokens": 812, "cost": 3}),
    step("fan[1]", "failed", error="timed out", error_type="TimeoutError", attempt=1),
    step("later", "skipped", status_reason="not needed"),
    user_id="u", labels={"team": "a"}, parent={"id": OTHER_RUN, "step_id": "spawn"}, context='{"n":1.50}',
    updated_at=T0 + 9, completed_at=None, status_reason="a person is asked", version=12, last_event_id=OTHER_RUN,
    recent_event_ids=bytes(range(16)), fencing_token=-3, checkpoint_count=4, usage={"gen_ai.usage.input_tokens": 812},
)  # fmt: skip
FULL_FIELDS: dict[str, dict[str, Any]] = {
    "WorkflowCreated": {"user_id": "u", "context": '{"a":1}', "labels": {"k": "v"},
                        "parent": {"id": OTHER_RUN, "step_id": "spawn"}},
    "WorkflowPaused": {"reason": "a person is asked"},
    "WorkflowFailed": {"error_type": "cancelled"},
    "ContextUpdated": {"patch": '{"a":null,"é":[1.50]}'},
    "StepStarted": {"attempt": 1, "inputs": '"in"'},
    "StepCompleted": {"attempt": 2, "outputs": '{"text":"é😀"}', "usage": {"gen_ai.usage.input_tokens": 812}},
    "StepFailed": {"attempt": 3, "error_type": "TimeoutError", "usage": {"cost": 70_000}},
    "StepRetried": {"attempt": 3},
    "StepSkipped": {"reason": "not needed"},
    "StepHeartbeat": {"attempt": 2_147_483_647},
    "CheckpointRequested": {"checkpoint_id": OTHER_RUN, "timestamp": T0 - 1, "snapshot": FULL_STATE},
    "CheckpointsTrimmed": {"keep": 3},
    "WorkflowSaved": {"state": FULL_STATE},
    "WorkflowRestored": {"snapshot": FULL_STATE},
}  # fmt: skip


def examples() -> dict[str, EventRecord]:
    """Every kind with nothing but what it must have, and with everything it may have."""
    found = {}
    for number, kind in enumerate(FIELDS):
        event_id = str(uuid.UUID(int=0xE0 << 112 | number))
        found[kind] = event(kind, id=event_id)
        found[f"{kind} in full"] = event(
            kind, id=event_id, at=-1, expected=2**40, token=7, **FULL_FIELDS.get(kind, {})
        )  # fmt: skip
    return found


def messages() -> list[dict[str, str]]:
    codec = Codec()
    lines = [{"name": name, "hex": codec.encode_event(one).hex()} for name, one in examples().items()]
    head = {"id": OTHER_RUN, "workflow_state_id": RUN, "step_id": "b", "timestamp": T0, "version": 12}
    whole = codec.encode_state(FULL_STATE)
    lines.append({"name": "WorkflowState", "hex": codec.encode_state(state()).hex()})
    lines.append({"name": "WorkflowState in full", "hex": whole.hex()})
    lines.append({"name": "Checkpoint", "hex": codec.encode_checkpoint(head, whole[10:]).hex()})
    return lines


def history() -> list[bytes]:
    """The messages that the file holds; a history of three runs where there is no file yet."""
    if FOLD.exists():
        return pinned(FOLD)
    made = [*examples().values(), *_tidy(TIDY_RUN), *random_history(Random(7), (RUN, OTHER_RUN), 220)]
    return [Codec().encode_event(one) for one in made]


def outputs_history() -> list[bytes]:
    """The messages that the file holds; where there is no file yet, a history of one run with values beyond the limit."""
    if OUTPUTS_FOLD.exists():
        return pinned(OUTPUTS_FOLD)
    return [message.value() or b"" for message in outputs.lived(Random(17), 320).log]


def pinned(path: Path) -> list[bytes]:
    return [bytes.fromhex(json.loads(line)["event"]) for line in path.read_text().splitlines()]


def _tidy(run: str) -> list[EventRecord]:
    """A run as its orchestrator would report it, twelve checkpoints and all, with what came twice or too late."""
    steps: list[tuple[str, dict[str, Any]]] = [("StepCreated", {"step_id": "plan"})]
    for number in range(12):
        name = {"step_id": f"call[{number}]"}
        steps += [("StepStarted", {**name, "attempt": 1, "inputs": "{}"}), ("StepHeartbeat", {**name, "attempt": 1})]
        if number % 5 == 0:
            steps += [("StepFailed", {**name, "attempt": 1, "error_type": "TimeoutError"}),
                      ("StepRetried", {**name, "attempt": 1}), ("StepStarted", {**name, "attempt": 2}),
                      ("StepCompleted", {**name, "attempt": 1})]  # fmt: skip
        steps.append(("StepCompleted", {**name, "attempt": 1 + (number % 5 == 0), "outputs": f'{{"n":{number}.0}}',
                                        "usage": {"gen_ai.usage.input_tokens": number}}))  # fmt: skip
    kinds: list[tuple[str, dict[str, Any]]] = [
        ("WorkflowCreated", {"context": '{"a":1.50}'}), ("WorkflowStarted", {}), *steps,
        ("WorkflowPaused", {"reason": "a person is asked"}), ("ContextUpdated", {"patch": '{"b":{"c":1e3}}'}),
        ("WorkflowResumed", {}), ("StepSkipped", {"step_id": "plan", "reason": "not needed"}),
        ("StepStarted", {"step_id": "branch", "attempt": 1}), ("WorkflowFailed", {"error_type": "timed_out"}),
        ("StepCompleted", {"step_id": "branch", "attempt": 1}), ("WorkflowResumed", {}), ("CheckpointRequested", {}),
        ("WorkflowCompleted", {}), ("CheckpointsTrimmed", {"keep": 7}),
    ]  # fmt: skip
    once = [
        event(kind, run=run, at=T0 + 1000 * number, id=str(uuid.UUID(int=0xE2 << 112 | number)), **fields)
        for number, (kind, fields) in enumerate(kinds)
    ]
    return [*once, *once[:3], *once[-9:]]


def fold(log: list[bytes], inline_limit: int | None = None) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """A line for each message, and what is there in the end."""
    partition = Partition("step", inline_limit=inline_limit)
    lines = []
    for message in log:
        key = partition.codec.decode_event(message)["run_id"].lower().encode()
        partition.append(key, message)
        applied = partition.task.counts.applied
        partition.judge()
        changes = partition.commit()
        verdict = "applied" if partition.task.counts.applied > applied else "duplicate"
        if changes.rejections:
            verdict = header(changes.rejections[0], "code")
        (now,) = partition.store.get_many([key])
        digest = None if now is None else hashlib.sha256(now).hexdigest()[:16]
        lines.append({"verdict": verdict, "state": digest, "event": message.hex()})
    outcome = {
        "states": {key.decode(): value.hex() for key, value in partition.store.items()},
        "checkpoints": {key.decode(): value.hex() for key, value in sorted(partition.compacted_checkpoints().items())},
    }
    if inline_limit is not None:
        outcome["outputs"] = {key.decode(): value.decode() for key, value in partition.compacted_outputs().items()}
    return lines, outcome


def write() -> None:
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    lines, outcome = fold(history())
    _write_lines(MESSAGES, messages())
    _write_lines(FOLD, lines)
    OUTCOME.write_text(json.dumps(outcome, indent=1) + "\n")
    lines, outcome = fold(outputs_history(), outputs.LIMIT)
    _write_lines(OUTPUTS_FOLD, lines)
    OUTPUTS_OUTCOME.write_text(json.dumps(outcome, indent=1) + "\n")


def _write_lines(path: Path, lines: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))


if __name__ == "__main__":
    write()
