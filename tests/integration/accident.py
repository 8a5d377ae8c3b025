"""A worker to which something happens at a chosen moment: python -m tests.integration.accident BOOTSTRAP PREFIX
DIRECTORY STATE INSTANCE MOMENT NUMBER SIGNAL

It sends itself the signal once, at one of the MOMENTS of its NUMBERth transaction that has records, or of the first later
one that has such a moment. After SIGCONT it goes on as any worker does; SIGTERM ends it.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from confluent_kafka import TopicPartition

from llm_orchestrator_state.engine.clock import SystemClock
from llm_orchestrator_state.engine.worker import Worker
from llm_orchestrator_state.errors import StateError
from llm_orchestrator_state.kafka.cluster import Cluster
from llm_orchestrator_state.kafka.interface import TransactionalProducer
from llm_orchestrator_state.store.interface import Store, Stores
from tests.integration.harness import SESSION_S, Stage

MOMENTS = {
    "begun": "the transaction is open, and has no record",
    "produced": "some of its records may be in the log",
    "offsets-sent": "the offsets are in it, and its records may not be yet",
    "flushed": "all are, and it is open",
    "committed": "no local store knows of it",
    "half-stored": "one partition's store does, and the other's not yet",
    "stored": "all do, and nobody was told",
}
"""In the order of a commit; what is so at each."""

TRANSACTION_S = 300.0
"""So long that the brokers do not end, within a test, what it leaves open: its successor must."""


class Accident:
    """Of this process: at which moment of which transaction."""

    def __init__(self, moment: str, number: int, what: signal.Signals) -> None:
        assert moment in MOMENTS
        self._moment: str | None = moment
        self._left = number
        self._signal = what
        self._has_records = False
        self._partitions = 0
        self._stores_behind = 0
        """Those that are still to be written after a commit."""

    def record(self) -> None:
        """One is about to be produced."""
        if not self._has_records:
            self._has_records = True
            self._left -= 1
            self.at("begun")

    def offsets(self, partitions: int) -> None:
        self._partitions = partitions
        self.at("offsets-sent")

    def committed(self) -> None:
        self._stores_behind = self._partitions if self._has_records else 0
        self.at("committed")
        self.over()

    def over(self) -> None:
        self._has_records = False

    def stored(self) -> None:
        if self._stores_behind:
            self._stores_behind -= 1
            self._happens("half-stored" if self._stores_behind else "stored")

    def at(self, moment: str) -> None:
        if self._has_records:
            self._happens(moment)

    def _happens(self, moment: str) -> None:
        if self._left <= 0 and self._moment == moment:
            self._moment = None
            # to this thread: SIGSTOP to the process may find another one, which has to be scheduled first, and meanwhile
            # this one would go on into the next step
            signal.pthread_kill(threading.get_ident(), self._signal)


class DoomedProducer:
    """A real transactional producer."""

    def __init__(self, producer: TransactionalProducer, accident: Accident) -> None:
        self._producer = producer
        self._accident = accident

    def __getattr__(self, name: str) -> Any:
        return getattr(self._producer, name)

    def produce(self, *values: Any, **named: Any) -> None:
        self._accident.record()
        self._producer.produce(*values, **named)

    def flush(self, timeout: float) -> int:
        left = self._producer.flush(timeout)
        self._accident.at("flushed")
        return left

    def send_offsets_to_transaction(
        self, positions: list[TopicPartition], group_metadata: object, timeout: float
    ) -> None:
        self._accident.at("produced")
        self._producer.send_offsets_to_transaction(positions, group_metadata, timeout)
        self._accident.offsets(len(positions))

    def commit_transaction(self, timeout: float) -> None:
        self._producer.commit_transaction(timeout)
        self._accident.committed()

    def abort_transaction(self, timeout: float) -> None:
        self._producer.abort_transaction(timeout)
        self._accident.over()


class DoomedCluster(Cluster):
    accident: Accident

    def producer(self, transactional_id: str) -> TransactionalProducer:
        return cast(TransactionalProducer, DoomedProducer(super().producer(transactional_id), self.accident))


class DoomedStore:
    """A real store."""

    def __init__(self, store: Store, accident: Accident) -> None:
        self._store = store
        self._accident = accident

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def write(self, *values: Any, **named: Any) -> None:
        self._store.write(*values, **named)
        self._accident.stored()


class DoomedStores:
    def __init__(self, stores: Stores, accident: Accident) -> None:
        self._stores = stores
        self._accident = accident

    def open(self, partition: int) -> Store:
        return cast(Store, DoomedStore(self._stores.open(partition), self._accident))

    def clear(self, partition: int) -> None:
        self._stores.clear(partition)


def main(words: Sequence[str]) -> int:
    bootstrap, prefix, directory, state, instance, moment, number, what = words
    accident = Accident(moment, int(number), signal.Signals(int(what)))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    stage = Stage(bootstrap, prefix, Path(directory))
    cluster = DoomedCluster(
        bootstrap, stage.topics, stage.log.group, instance,
        session_timeout_s=SESSION_S, transaction_timeout_s=TRANSACTION_S,
    )  # fmt: skip
    cluster.accident = accident
    asked_to_end: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: asked_to_end.append(number))
    stores = DoomedStores(stage.stores(state), accident)
    worker = Worker(cluster, stores, SystemClock(), stage.config(instance))
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
    sys.exit(main(sys.argv[1:]))
