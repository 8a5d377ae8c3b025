"""Records of the state and outputs topics as a processor writes them, by hand: so that a test says what is there, and when."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from hashlib import sha256

from confluent_kafka import Producer

from llm_orchestrator_state.kafka.partitioner import partition_of
from llm_orchestrator_state.model.records import OutputRefRecord, StateRecord
from tests.integration.harness import DEADLINE_S, Stage
from tests.unit.records import state, step

Put = tuple[str, str, bytes | None]
"""Role of the topic, key, value."""


class Hand:
    """Writes transactions."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._offset = 0
        self._producer = Producer(
            {"bootstrap.servers": stage.bootstrap, "transactional.id": f"hand-{uuid.uuid4()}", "compression.type": "lz4",
             "message.max.bytes": 10 << 20}
        )  # fmt: skip
        self._producer.init_transactions(DEADLINE_S)

    def commit(self, *puts: Put) -> None:
        """In this order; on the partition of the run."""
        self._producer.begin_transaction()
        for role, key, value in puts:
            partition = partition_of(key[:36].encode(), len(self._stage.partitions))
            self._offset += 1
            headers: dict[str, str | bytes | None] = {"source-offset": b"%d" % self._offset}
            self._producer.produce(self._stage.name(role), value, key.encode(), partition, headers=headers)
        self._producer.commit_transaction(DEADLINE_S)

    def run(self, whole: StateRecord, texts: dict[int, bytes | None]) -> None:
        """One state, and outputs of it by their numbers."""
        run_id = whole["id"]
        puts: list[Put] = [("outputs", f"{run_id}/{n}", text) for n, text in texts.items()]
        self.commit(*puts, ("state", run_id, self._stage.codec.encode_state(whole)))


def ref(n: int, text: bytes) -> OutputRefRecord:
    return {"n": n, "bytes": len(text), "sha256": sha256(text).digest(), "born": 0}


def referring(run_id: str, texts: Sequence[tuple[int, bytes]], version: int = 1) -> StateRecord:
    """A running state whose steps' outputs are all out, each step called after its number."""
    steps = [step(f"step-{n}", "completed", outputs_ref=ref(n, text)) for n, text in texts]
    return state("running", *steps, id=run_id, version=version, output_count=len(texts))
