"""A worker to which something happens at a chosen moment: python -m tests.integration.accident BOOTSTRAP PREFIX
DIRECTORY STATE INSTANCE MOMENT NUMBER SIGNAL

It sends itself the signal at its NUMBERth commit that has records, `before-commit` (everything is flushed, the offsets
are in the transaction, and it is open) or `after-commit` (and the local store knows nothing of it yet). After SIGCONT
it goes on as any worker does; SIGTERM ends it.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any, cast

from llm_orchestrator_state.engine.clock import SystemClock
from llm_orchestrator_state.engine.worker import Worker
from llm_orchestrator_state.errors import StateError
from llm_orchestrator_state.kafka.cluster import Cluster
from llm_orchestrator_state.kafka.interface import TransactionalProducer
from tests.integration.harness import SESSION_S, Stage


class Doomed:
    """A real transactional producer whose process has an accident at one commit."""

    left = 0
    moment = ""
    signal = signal.SIGKILL

    def __init__(self, producer: TransactionalProducer) -> None:
        self._producer = producer
        self._records = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._producer, name)

    def produce(self, *values: Any, **named: Any) -> None:
        self._records += 1
        self._producer.produce(*values, **named)

    def commit_transaction(self, timeout: float) -> None:
        records, self._records = self._records, 0
        Doomed.left -= bool(records)
        due = bool(records) and Doomed.left == 0
        if due and self.moment == "before-commit":
            os.kill(os.getpid(), self.signal)
        self._producer.commit_transaction(timeout)
        if due and self.moment == "after-commit":
            os.kill(os.getpid(), self.signal)


class DoomedCluster(Cluster):
    def producer(self, transactional_id: str) -> TransactionalProducer:
        return cast(TransactionalProducer, Doomed(super().producer(transactional_id)))


def main() -> int:
    bootstrap, prefix, directory, state, instance, Doomed.moment, number, what = sys.argv[1:]
    Doomed.left, Doomed.signal = int(number), signal.Signals(int(what))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    stage = Stage(bootstrap, prefix, Path(directory))
    cluster = DoomedCluster(bootstrap, stage.topics, stage.log.group, instance, session_timeout_s=SESSION_S)
    asked_to_end: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: asked_to_end.append(number))
    worker = Worker(cluster, stage.stores(state), SystemClock(), stage.config(instance))
    try:
        while not asked_to_end:
            worker.step(0.2)
    except StateError as error:
        logging.error("error: %s", error)  # noqa: LOG015 - this is the program
        return error.exit_code
    finally:
        worker.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
