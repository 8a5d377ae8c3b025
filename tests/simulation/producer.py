"""The transactional producer, with librdkafka's states and errors (rdkafka_txnmgr.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from tests.simulation.faults import FAIL, LAST, NONE, UNKNOWN, failure
from tests.simulation.group import Committed, GroupError, GroupMetadata
from tests.simulation.log import NO_OFFSET, ErrorMessage, Headers, Record
from tests.simulation.transactions import InvalidTxnState, ProducerFenced

if TYPE_CHECKING:
    from tests.simulation.cluster import SimCluster
    from tests.simulation.process import SimProcess

OnDelivery = Callable[[Any, Any], None]
Queued = tuple[str, int, bytes | None, bytes | None, Headers | None, OnDelivery | None]

NEW = "Init"
READY = "Ready"
IN_TRANSACTION = "InTransaction"
COMMITTING = "CommittingTransaction"
ABORTING = "AbortingTransaction"
ABORTABLE = "AbortableError"
FATAL = "FatalError"

SEND_EARLY = 0.15
"""Probability that a call finds that the background thread has sent queued messages."""
LATE_REPORTS = 0.3
FULL_S = (0.0, 0.0, 0.3, 15.0)
"""How long the queue stays full, in seconds: the brokers do not take what is in it."""
WITHOUT_OFFSET = 0.5
"""Among faulty deliveries: reported as done, but without an offset (a retried batch that the broker already had)."""


class SimProducer:
    def __init__(self, cluster: SimCluster, process: SimProcess, transactional_id: str) -> None:
        self._cluster = cluster
        self._faults = process.faults
        self._id = transactional_id
        self._epoch = -1
        self._state = NEW
        self._queue: list[Queued] = []
        self._reports: list[tuple[OnDelivery | None, KafkaError | None, Record]] = []
        self._failed_deliveries = 0
        self._full_until = 0.0
        self._registered = False
        """Whether the coordinator knows of this transaction; otherwise there is nothing to end."""

    # ---- errors

    def _fence(self) -> KafkaException:
        self._state = FATAL
        return failure(KafkaError._FENCED, "Producer fenced by newer instance", fatal=True)

    def _require(self, call: str, *states: str) -> None:
        state = self._state
        if state in states:
            return
        if state == FATAL:
            raise failure(KafkaError._FENCED, f"{call}: producer has a fatal error", fatal=True)
        if state == ABORTABLE:
            raise failure(KafkaError._INCONSISTENT, f"{call}: transaction must be aborted", txn_requires_abort=True)
        raise failure(KafkaError._STATE, f"{call}: operation not valid in state {state}")

    def _time_out(self, call: str, timeout: float) -> KafkaException:
        self._cluster.wait(min(timeout, 60.0) if timeout >= 0 else 5.0)
        return failure(KafkaError._TIMED_OUT, f"{call} timed out", retriable=True)

    # ---- transactions

    def init_transactions(self, timeout: float) -> None:
        self._require("init_transactions", NEW)
        fault = self._faults.draw("init_transactions")
        if fault == FAIL:
            raise self._time_out("init_transactions", timeout)
        self._epoch = self._cluster.transactions.init(self._id)
        if fault == UNKNOWN:
            raise self._time_out("init_transactions", timeout)
        self._state = READY
        self._faults.settle(fault, "init_transactions")

    def begin_transaction(self) -> None:
        fault = self._faults.draw("begin_transaction")
        self._require("begin_transaction", READY)
        self._state = IN_TRANSACTION
        self._failed_deliveries = 0
        self._registered = False
        self._faults.settle(fault, "begin_transaction")

    def send_offsets_to_transaction(
        self, positions: list[TopicPartition], group_metadata: object, timeout: float
    ) -> None:
        fault = self._faults.draw("send_offsets_to_transaction")
        self._require("send_offsets_to_transaction", IN_TRANSACTION)
        if fault == FAIL:
            if self._faults.rng.random() < 0.5:
                self._state = ABORTABLE
                raise failure(KafkaError.UNKNOWN_PRODUCER_ID, "offsets refused", txn_requires_abort=True)
            raise self._time_out("send_offsets_to_transaction", timeout)
        assert isinstance(group_metadata, GroupMetadata)
        try:
            # AddOffsetsToTxn to the transaction's coordinator first, then TxnOffsetCommit to the group's.
            self._cluster.transactions.add_offsets(self._id, self._epoch, {})
            self._registered = True
            self._cluster.group.validate_commit(group_metadata)
            offsets = {tp.partition: Committed(tp.offset, tp.metadata or "") for tp in positions}
            self._cluster.transactions.add_offsets(self._id, self._epoch, offsets)
        except GroupError as error:
            self._state = ABORTABLE
            raise failure(error.code, "Failed to commit offsets to transaction", txn_requires_abort=True) from None
        except ProducerFenced:
            raise self._fence() from None
        if fault == UNKNOWN:
            raise self._time_out("send_offsets_to_transaction", timeout)
        self._faults.settle(fault, "send_offsets_to_transaction")

    def commit_transaction(self, timeout: float) -> None:
        fault = self._faults.draw("commit_transaction")
        self._require("commit_transaction", IN_TRANSACTION, COMMITTING)
        self._send(len(self._queue))
        self._report(all_of_them=False)
        if self._state == FATAL:
            raise self._fence()
        if self._failed_deliveries:
            self._state = ABORTABLE
            raise failure(KafkaError._INCONSISTENT, "messages failed delivery", txn_requires_abort=True)
        if fault in (FAIL, UNKNOWN):
            raise self._uncertain_commit(fault, timeout)
        self._end(commit=True)
        self._state = READY
        self._faults.settle(fault, "commit_transaction")

    def _uncertain_commit(self, fault: int, timeout: float) -> KafkaException:
        """The outcomes that a caller cannot tell apart, besides the errors that say what happened."""
        draw = self._faults.rng.random()
        self._state = COMMITTING
        if draw < 0.6:
            # A time-out: the same call may be repeated and goes on where it was.
            if fault == UNKNOWN:
                self._end(commit=True)
            return self._time_out("commit_transaction", timeout)
        if draw < 0.8:
            # The connection is lost. Where EndTxn was sent, it may still be executed much later.
            if fault == UNKNOWN and self._registered:
                transactions, name, epoch = self._cluster.transactions, self._id, self._epoch
                self._cluster.later(self._faults.rng.random() * 5, lambda: transactions.end(name, epoch, commit=True))
            return failure(KafkaError._TRANSPORT, "connection lost during commit")
        # The transaction failed locally (its time was over), whatever the coordinator made of EndTxn.
        if fault == UNKNOWN:
            self._end(commit=True)
        self._state = ABORTABLE
        return failure(KafkaError._TIMED_OUT, "transaction timed out locally", txn_requires_abort=True)

    def abort_transaction(self, timeout: float) -> None:
        fault = self._faults.draw("abort_transaction")
        self._require("abort_transaction", IN_TRANSACTION, ABORTABLE, ABORTING)
        self._state = ABORTING
        for _, _, _, _, _, callback in self._queue:
            self._reports.append((callback, KafkaError(KafkaError._PURGE_QUEUE), ErrorMessage(None, "", -1)))
        self._queue.clear()
        self._report(all_of_them=False)
        if fault == FAIL:
            raise self._time_out("abort_transaction", timeout)
        self._end(commit=False)
        if fault == UNKNOWN:
            raise self._time_out("abort_transaction", timeout)
        self._state = READY
        self._faults.settle(fault, "abort_transaction")

    def _end(self, *, commit: bool) -> None:
        if not self._registered:
            return
        try:
            self._cluster.transactions.end(self._id, self._epoch, commit)
        except ProducerFenced:
            raise self._fence() from None
        except InvalidTxnState:
            self._state = FATAL
            raise failure(KafkaError.INVALID_TXN_STATE, "Failed to end transaction", fatal=True) from None

    # ---- messages

    def produce(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None,
        partition: int,
        *,
        headers: Any,
        on_delivery: OnDelivery | None = None,
    ) -> None:
        fault = self._faults.draw("produce")
        if self._state != IN_TRANSACTION:
            raise failure(KafkaError._STATE, f"Unable to produce message in state {self._state}")
        if fault == FAIL:
            self._full_until = self._cluster.clock.now + self._faults.rng.choice(FULL_S)
        if fault == FAIL or self._cluster.clock.now < self._full_until:
            msg = "Local: Queue full"
            raise BufferError(msg)
        self._queue.append((topic, partition, key, value, headers, on_delivery))
        if fault == UNKNOWN or self._faults.rng.random() < SEND_EARLY:
            self._send(1 + int(self._faults.rng.random() * len(self._queue)), faulty=fault == UNKNOWN)
        self._faults.settle(fault, "produce")

    def _send(self, count: int, *, faulty: bool = False) -> None:
        """Hand that many queued messages to the brokers; the reports wait for poll() or flush()."""
        sent, self._queue = self._queue[:count], self._queue[count:]
        cluster, reports = self._cluster, self._reports
        for topic, partition, key, value, headers, callback in sent:
            log = cluster.log(topic, partition)
            try:
                record = cluster.transactions.append(self._id, self._epoch, log, (key, value, headers))
            except ProducerFenced:
                self._state = FATAL
                error = KafkaError(KafkaError.INVALID_PRODUCER_EPOCH)
                reports.append((callback, error, ErrorMessage(None, topic, partition)))
                continue
            self._registered = True
            if faulty:
                faulty = False
                self._fail_delivery(callback, record)
            else:
                reports.append((callback, None, record))

    def _fail_delivery(self, callback: OnDelivery | None, record: Record) -> None:
        if self._faults.rng.random() < WITHOUT_OFFSET:
            self._reports.append((callback, None, ErrorMessage(None, record.topic(), record.partition(), NO_OFFSET)))
        else:
            self._failed_deliveries += 1
            error = KafkaError(KafkaError._MSG_TIMED_OUT)
            self._reports.append((callback, error, ErrorMessage(None, record.topic(), record.partition())))

    def _report(self, *, all_of_them: bool) -> int:
        """Call on_delivery; commit and abort may leave reports for a later call."""
        if not all_of_them and self._reports and self._faults.rng.random() < LATE_REPORTS:
            return 0
        reports, self._reports = self._reports, []
        for callback, error, message in reports:
            if callback is not None:
                callback(error, message)
        return len(reports)

    def poll(self, timeout: float) -> int:
        fault = self._faults.draw("producer.poll")
        if self._queue and self._state != FATAL:
            self._send(1 + int(self._faults.rng.random() * len(self._queue)))
        served = self._report(all_of_them=True)
        if not served:
            self._cluster.wait(timeout)
        self._faults.settle(fault, "producer.poll")
        return served

    def flush(self, timeout: float) -> int:
        """Returns how many messages are still not reported."""
        fault = self._faults.draw("flush")
        if fault == FAIL and self._queue:
            self._send(int(self._faults.rng.random() * len(self._queue)))
            self._report(all_of_them=True)
            self._cluster.wait(timeout)
            return len(self._queue)
        self._send(len(self._queue), faulty=fault == UNKNOWN)
        self._report(all_of_them=True)
        if fault == LAST:
            self._faults.die("flush")
        assert fault == NONE or not self._queue
        return 0

    def die(self) -> None:
        """The process is gone: some of what was queued may have been sent just before."""
        if self._queue and self._state == IN_TRANSACTION:
            self._send(int(self._faults.rng.random() * (len(self._queue) + 1)))
