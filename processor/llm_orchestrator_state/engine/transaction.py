"""Exactly-once: one transactional producer, one transaction at a time, and what became of each."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from enum import Enum
from typing import Any, NamedTuple, Protocol

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from ..errors import Fenced
from ..kafka.failures import as_state_error, is_refusal
from ..kafka.interface import Kafka, Message, TransactionalProducer
from .clock import Clock
from .outputs import Record

log = logging.getLogger(__name__)

CALL_TIMEOUT_S = 10.0
"""For one call; a retriable error is answered with the same call again until this long after the first."""

RETRY_S = 0.2
"""Between two attempts to get a producer."""

MAX_RENEWALS = 5
"""Producers thrown away in a row without a commit between them: more is no accident but a rival with our identity."""


class Outcome(Enum):
    COMMITTED = "committed"
    ABORTED = "aborted"
    UNKNOWN = "unknown"
    """The commit was sent and not answered. The transaction is over by now; the group's stable offset tells how."""


class Batch(NamedTuple):
    """Records of one output topic's partition. kept: whether the offset behind the last one is asked for."""

    topic: str
    partition: int
    records: Iterable[Record]
    kept: bool = False


class Ended(NamedTuple):
    """outcome: of a transaction. delivered: unless it is ABORTED, the offset behind the last kept record, by topic and
    partition.
    """

    outcome: Outcome
    delivered: dict[tuple[str, int], int]


class Pending(Protocol):
    """A transaction that is being ended: concurrent.futures.Future."""

    def result(self) -> Ended:
        """Waits for it. Raises Fenced, errors.Connection."""


Background = Callable[[Callable[[], Ended]], Pending]
"""Makes the call while the caller goes on: submit() of a concurrent.futures.Executor."""


def at_once(call: Callable[[], Ended]) -> Pending:
    """The background of one who has nothing to do meanwhile."""
    over: Future[Ended] = Future()
    over.set_result(call())
    return over


class _Aborted(Exception):
    """This transaction cannot be committed any more."""


class Transactions:
    """Runs one transaction after the other under a transactional id that is this worker's alone (KIP-98, KIP-447).

    Nothing else is asked of it while one is pending.
    """

    def __init__(self, kafka: Kafka, transactional_id: str, clock: Clock, background: Background = at_once) -> None:
        self.transactional_id = transactional_id
        self._kafka = kafka
        self._clock = clock
        self._background = background
        self._renewals = 0
        self._producer: TransactionalProducer | None = None

    def run(
        self, batches: Iterable[Batch], offsets: dict[int, int], source: str, group_metadata: object
    ) -> Pending | None:
        """One transaction: the records, and the input offsets with this worker's id as their metadata.

        The records are produced when it returns; to have them delivered and committed is mostly waiting, and left to the
        background. None: it was aborted at once. Raises Fenced when producers are lost again and again,
        errors.Connection when none can be had.
        """
        if offsets and group_metadata is None:
            return None  # no member of the group: it would not be fenced
        producer = self.ready()
        delivered: dict[tuple[str, int], int] = {}
        try:
            self._call(producer.begin_transaction)
            for batch in batches:
                self._produce(producer, batch, delivered)
        except (_Aborted, KafkaException) as reason:  # of produce(): it raises when we were fenced
            self._give_up(producer, reason)
            return None
        positions = [TopicPartition(source, p, o, self.transactional_id) for p, o in sorted(offsets.items())]
        return self._background(lambda: self._end(producer, positions, group_metadata, delivered))

    def _end(
        self, producer: TransactionalProducer, positions: list[TopicPartition], group_metadata: object,
        delivered: dict[tuple[str, int], int],
    ) -> Ended:  # fmt: skip
        try:
            if positions:
                # meanwhile the client adds the records' partitions to the transaction: a round trip less to wait for
                self._call(lambda: producer.send_offsets_to_transaction(positions, group_metadata, CALL_TIMEOUT_S))
            self._flush(producer)
        except (_Aborted, KafkaException) as reason:  # of flush(): it raises when we were fenced
            self._give_up(producer, reason)
            return Ended(Outcome.ABORTED, {})
        return Ended(self._commit(producer), delivered)

    def _give_up(self, producer: TransactionalProducer, reason: Exception) -> None:
        # while the group shares out its partitions anew, that is how it must be
        log.log(logging.INFO if _is_of_rebalance(reason) else logging.WARNING, "transaction aborted: %s", reason)
        self._abort(producer)

    def ready(self) -> TransactionalProducer:
        """The producer. When it is made, whatever an earlier process left open under this id is ended."""
        return self._producer or self._renew()

    def _produce(self, producer: TransactionalProducer, batch: Batch, delivered: dict[tuple[str, int], int]) -> None:
        def note(error: KafkaError | None, message: Message) -> None:
            offset = message.offset()
            # one whose report has no offset leaves the position where it was: reading again is harmless
            if error is None and offset is not None and offset >= 0:
                delivered[batch.topic, batch.partition] = offset + 1

        deadline = self._clock.monotonic() + CALL_TIMEOUT_S
        records = iter(batch.records)
        record = next(records, None)
        while record is not None:
            following = next(records, None)
            on_delivery = note if batch.kept and following is None else None
            while True:
                try:
                    producer.produce(
                        batch.topic, record.value, record.key, batch.partition,
                        headers=record.headers, on_delivery=on_delivery,
                    )  # fmt: skip
                except BufferError:  # the client's queue is full
                    producer.poll(0.05)
                    if self._clock.monotonic() > deadline:
                        raise _Aborted("the producer's queue stays full") from None
                else:
                    break
            record = following

    def _flush(self, producer: TransactionalProducer) -> None:
        if producer.flush(CALL_TIMEOUT_S):
            raise _Aborted("records were not delivered in time")

    def _call(self, call: Callable[[], Any]) -> None:
        """Raises _Aborted where it fails for good."""
        if error := self._failure(call):
            raise _Aborted(error)

    def _failure(self, call: Callable[[], Any]) -> KafkaError | None:
        """Makes the call, again and again while the error is one that passes; returns the error that remains."""
        deadline = self._clock.monotonic() + CALL_TIMEOUT_S
        while True:
            try:
                call()
            except KafkaException as failure:
                error: KafkaError = failure.args[0]
                passes = error.retriable() and not error.fatal() and not error.txn_requires_abort()
                if not passes or self._clock.monotonic() > deadline:
                    return error
            else:
                return None

    def _commit(self, producer: TransactionalProducer) -> Outcome:
        error = self._failure(lambda: producer.commit_transaction(CALL_TIMEOUT_S))
        if error is None:
            self._renewals = 0
            return Outcome.COMMITTED
        log.warning("commit: %s", error)
        if error.txn_requires_abort():
            # an abort that is refused may be so because the commit had reached the broker after all
            return Outcome.ABORTED if self._abort(producer) else Outcome.UNKNOWN
        # librdkafka has no KIP-890: a late EndTxn of this producer could tear the next transaction
        self._renew()
        return Outcome.UNKNOWN

    def _abort(self, producer: TransactionalProducer) -> bool:
        """Whether the broker has aborted it; otherwise it is over too, one way or the other."""
        error = self._failure(lambda: producer.abort_transaction(CALL_TIMEOUT_S))
        if error is None:
            return True
        log.warning("abort: %s", error)
        self._renew()
        return False

    def _renew(self) -> TransactionalProducer:
        """A new producer under the same id. Its init_transactions() completes or aborts what the old one left."""
        self._producer = None
        if self._renewals == MAX_RENEWALS:
            raise Fenced(
                f"the producer {self.transactional_id} was lost {MAX_RENEWALS} times in a row without a commit; "
                "is another worker using the same instance_id?"
            )
        self._producer = settle(self._kafka, self.transactional_id, self._clock)
        self._renewals += 1
        return self._producer


def settle(kafka: Kafka, transactional_id: str, clock: Clock) -> TransactionalProducer:
    """A producer with this id: what an earlier one left open is over, and the earlier one is fenced.

    Raises errors.Connection when the transaction coordinator does not answer within half a minute, or refuses.
    """
    producer = kafka.producer(transactional_id)
    deadline = clock.monotonic() + 3 * CALL_TIMEOUT_S
    while True:
        try:
            producer.init_transactions(CALL_TIMEOUT_S)
        except KafkaException as error:
            reason: KafkaError = error.args[0]
            if is_refusal(reason) or clock.monotonic() > deadline:
                raise as_state_error(error, f"beginning transactions as {transactional_id}") from error
            producer.poll(RETRY_S)
            if reason.fatal() or not reason.retriable():
                producer = kafka.producer(transactional_id)
        else:
            return producer


def _is_of_rebalance(reason: Exception) -> bool:
    error = reason.args[0]
    return isinstance(error, KafkaError) and error.code() in {
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.REBALANCE_IN_PROGRESS,
    }
