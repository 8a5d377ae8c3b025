"""Small, untidy event histories: mostly plausible, with everything that real logs and bad publishers contain."""

from __future__ import annotations

from random import Random
from typing import Any

from llm_orchestrator_state.kafka.partitioner import partition_of
from llm_orchestrator_state.wire.codec import Codec
from tests.simulation.bursts import AGAIN, SPOILED, Bursts
from tests.simulation.conditions import Conditions
from tests.simulation.payloads import BEGIN, STEPS, json_text, run_fields, uuid_text
from tests.simulation.registry import Framing

Appended = tuple[int, bytes | None, bytes | None]
"""Partition, key and value."""

RUN_KINDS = (
    "WorkflowPaused", "WorkflowResumed", "WorkflowCompleted", "WorkflowFailed", "WorkflowDeleted", "WorkflowSaved",
    "WorkflowRestored", "WorkflowCreated", "WorkflowStarted", "ContextUpdated", "ContextUpdated", "CheckpointsTrimmed",
)  # fmt: skip
STEP_KINDS = (
    "StepCreated", "StepStarted", "StepStarted", "StepStarted", "StepCompleted", "StepCompleted", "StepCompleted",
    "StepFailed", "StepRetried", "StepSkipped", "StepHeartbeat", "CheckpointRequested",
)  # fmt: skip
ATTEMPTED = frozenset({"StepStarted", "StepCompleted", "StepFailed", "StepRetried", "StepHeartbeat"})


RUN_IDS = tuple(uuid_text(Random(n)) for n in range(40))


class Run:
    """What the generator remembers of a run: enough to make most of its events legal."""

    __slots__ = ("attempts", "events", "id", "key", "token")

    def __init__(self, run_id: str) -> None:
        self.id = run_id
        self.key = run_id.encode()
        self.events = 0
        self.attempts: dict[str, int] = {}
        self.token = 1


class Histories:
    """An endless supply of events for a few runs, each on its own partition, except where that is the fault."""

    def __init__(self, rng: Random, codec: Codec, conditions: Conditions) -> None:
        self._rng = rng
        self._codec = codec
        self._partitions = conditions.partitions
        self._largest = conditions.largest_value
        self._framing = Framing(rng) if conditions.registry else None
        self._bursts = Bursts(rng, conditions.burst)
        self._runs = [Run(run_id) for run_id in rng.sample(RUN_IDS, 3 + rng.randrange(4))]
        self._now = BEGIN
        self._sent: list[Appended] = []

    def next(self) -> Appended:
        burst = self._bursts.next(len(self._sent), len(self._runs))
        if burst is None:
            return self._untidy()
        sort, n = burst
        if sort == AGAIN:
            return self._sent[n]
        run = self._runs[n]
        if sort == SPOILED:
            return self._sends(self._spoil(partition_of(run.key, self._partitions), run.key, self._event(run)))
        return self._tidy(run, sort)

    def _untidy(self) -> Appended:
        draw = self._rng.random()
        if draw < 0.12 and self._sent:
            return self._rng.choice(self._sent)
        run = self._rng.choice(self._runs)
        if draw >= 0.2:
            return self._tidy(run)
        key, event = run.key, self._event(run)
        return self._sends(self._spoil(partition_of(key, self._partitions), key, event))

    def _tidy(self, run: Run, kind: str | None = None) -> Appended:
        return self._sends((partition_of(run.key, self._partitions), run.key, self._encoded(self._event(run, kind))))

    def _sends(self, appended: Appended) -> Appended:
        self._sent.append(appended)
        return appended

    def _encoded(self, event: dict[str, Any]) -> bytes:
        value = self._codec.encode_event(event)
        return self._framing.framed(value) if self._framing is not None else value

    # ---- one event

    def _event(self, run: Run, kind: str | None = None) -> dict[str, Any]:
        rng = self._rng
        self._now += rng.randrange(-1_000_000, 3_000_000)
        if kind is None or run.events < 2:
            kind = self._kind(run)
        if kind == "WorkflowDeleted":
            run.events, run.attempts = 0, {}
        else:
            run.events += 1
        token = None
        if rng.random() < 0.2:
            run.token += rng.random() < 0.3
            token = run.token - (rng.random() < 0.2)  # a zombie orchestrator
        return {
            "event_id": uuid_text(rng),
            "run_id": run.id if rng.random() < 0.95 else run.id.upper(),
            "occurred_at": self._now,
            "expected_version": rng.randrange(run.events + 1) if rng.random() < 0.05 else None,
            "fencing_token": token,
            "transition": (kind, self._fields(kind, run)),
        }

    def _kind(self, run: Run) -> str:
        if run.events < 2 and self._rng.random() < 0.9:
            return ("WorkflowCreated", "WorkflowStarted")[run.events]
        return self._rng.choice(STEP_KINDS if self._rng.random() < 0.7 else RUN_KINDS)

    def _fields(self, kind: str, run: Run) -> dict[str, Any]:
        if kind.startswith("Step"):
            return self._step_fields(kind, run)
        return run_fields(kind, self._rng, run.id, self._now, self._largest)

    def _step_fields(self, kind: str, run: Run) -> dict[str, Any]:
        rng = self._rng
        step = rng.choice(STEPS)
        fields: dict[str, Any] = {"step_id": step}
        if kind in ATTEMPTED:
            fields["attempt"] = self._attempt(kind, step, run)
        if kind == "StepStarted":
            fields["inputs"] = None if rng.random() < 0.5 else "{}"
        elif kind == "StepSkipped":
            fields["reason"] = "not needed" if rng.random() < 0.5 else None
        elif kind == "StepCompleted":
            fields["outputs"] = json_text(rng, self._largest)
            fields["usage"] = {"gen_ai.usage.input_tokens": rng.randrange(99)} if rng.random() < 0.5 else {}
        elif kind == "StepFailed":
            fields.update(error="went wrong", error_type="TimeoutError", usage={})
        return fields

    def _attempt(self, kind: str, step: str, run: Run) -> int | None:
        if self._rng.random() < 0.3:
            return None
        attempt = run.attempts.get(step, 0) + (kind == "StepStarted")
        run.attempts[step] = attempt
        return max(1, attempt - (self._rng.random() < 0.15))

    # ---- bad input

    def _spoil(self, partition: int, key: bytes, event: dict[str, Any]) -> Appended:
        rng = self._rng
        fault = rng.randrange(9)
        if fault == 0:
            event["event_id"] = "not a uuid"
        elif fault == 1:
            event["occurred_at"] = 2**62
        elif fault == 2:
            event["transition"] = ("ContextUpdated", {"patch": rng.choice(('{"a":', "[" * 200 + "]" * 200, "nul"))})
        value = self._encoded(event)
        if fault == 3:
            return (partition + 1) % self._partitions, key, value
        if fault == 4:
            return partition, rng.choice((None, b"", b"no uuid", rng.choice(self._runs).key)), value
        return partition, key, self._damage(fault, value)

    def _damage(self, fault: int, value: bytes) -> bytes | None:
        rng = self._rng
        if fault == 5:
            return value[: rng.randrange(len(value))]
        if fault == 6:
            return value[:2] + rng.randbytes(8) + value[10:]
        if fault == 7:
            return rng.randbytes(rng.randrange(1, 30))
        if fault == 8:
            return None if rng.random() < 0.5 else b""
        return value
