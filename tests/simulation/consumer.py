"""The group consumer, with confluent-kafka's semantics."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, TopicPartition

from llm_orchestrator_state.kafka.interface import Message
from tests.simulation.faults import FAIL, LAST, NONE, failure
from tests.simulation.log import NO_OFFSET, ErrorMessage, PartitionLog
from tests.simulation.membership import ASSIGN, LOST, Membership

if TYPE_CHECKING:
    from tests.simulation.cluster import SimCluster
    from tests.simulation.process import SimProcess

Callback = Callable[[Any, list[TopicPartition]], None]

PREFETCH = 0.5
"""Probability that fetched records are handed out before a rebalance that is already known in the background."""
SMALL_FETCH = 0.7

PASSING = (
    KafkaError._TRANSPORT,
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TIMED_OUT,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError._MAX_POLL_EXCEEDED,
)


class Fetch:
    """An assigned partition."""

    __slots__ = ("log", "position", "reported")

    def __init__(self, log: PartitionLog, position: int) -> None:
        self.log = log
        self.position: int | None = position
        self.reported = NO_OFFSET
        """As position() says it: unknown until a message or a control record has passed."""


class SimConsumer:
    def __init__(self, cluster: SimCluster, process: SimProcess) -> None:
        self._cluster = cluster
        self._faults = process.faults
        self._topic = cluster.events
        self._callbacks: dict[str, Callback] = {}
        self._assigned_in_callback = False
        self._closed = False
        self._fenced = False
        self.fetches: dict[int, Fetch] = {}
        self.paused: set[int] = set()
        """As in librdkafka, a pause outlives the assignment."""
        self.membership = Membership(cluster.group, process.instance_id)

    # ---- membership

    def subscribe(self, topics: list[str], *, on_assign: Callback, on_revoke: Callback, on_lost: Callback) -> None:
        assert topics == [self._topic], "the group reads the events topic"
        fault = self._faults.draw("subscribe")
        self._callbacks = {"assign": on_assign, "revoke": on_revoke, "lost": on_lost}
        self.membership.subscribe(self._cluster.clock.now)
        self._faults.settle(fault, "subscribe")

    def consumer_group_metadata(self) -> object:
        self._faults.settle(self._faults.draw("consumer_group_metadata"), "consumer_group_metadata")
        self.membership.run(self._cluster.clock.now)
        return self.membership.metadata()

    def memberid(self) -> str | None:
        """As it is in the background: None as soon as the coordinator has thrown the member out."""
        self._faults.settle(self._faults.draw("memberid"), "memberid")
        self.membership.run(self._cluster.clock.now)
        return self.membership.member_id or None

    def unsubscribe(self) -> None:
        """The revocation comes with the next poll() or close(), the leave after it."""
        fault = self._faults.draw("unsubscribe")
        self.membership.unsubscribe(self._cluster.clock.now)
        self._faults.settle(fault, "unsubscribe")

    def close(self) -> None:
        """Calls on_revoke for what is still assigned. Without unsubscribe() a static member does not leave."""
        if self._closed:
            return
        fault = self._faults.draw("close")
        self._serve()
        if self.fetches:
            self._call("revoke", sorted(self.fetches))
        if not self.membership.leaving:
            self.membership.stop()
        self._closed = True
        self._cluster.forget(self)
        self._faults.settle(fault, "close")

    def _serve(self) -> None:
        """Run the rebalance callbacks that are due; what comes up meanwhile waits for the next call."""
        membership = self.membership
        membership.run(self._cluster.clock.now)
        for _ in range(len(membership.events)):
            if not membership.events:
                return  # thrown out meanwhile
            kind, partitions = membership.events.pop(0)
            if kind == LOST:
                partitions = list(membership.owned)
            if partitions or kind == ASSIGN:
                self._call(kind, partitions)
            membership.handled(kind, partitions, self._cluster.clock.now)

    def _call(self, kind: str, partitions: list[int]) -> None:
        self._faults.note(f"on_{kind} {partitions}")
        self._assigned_in_callback = False
        self._callbacks[kind](self, [TopicPartition(self._topic, p) for p in partitions])
        if self._assigned_in_callback:
            return
        # confluent-kafka does it where the callback did not.
        if kind == ASSIGN:
            for partition in partitions:
                self._assign(partition, NO_OFFSET)
        else:
            for partition in partitions:
                self.fetches.pop(partition, None)

    # ---- assignment

    def _assign(self, partition: int, offset: int) -> None:
        if partition in self.fetches:
            raise failure(KafkaError._CONFLICT, f"partition {partition} is already assigned")
        self.fetches[partition] = Fetch(self._cluster.log(self._topic, partition), offset)

    def incremental_assign(self, partitions: list[TopicPartition]) -> None:
        fault = self._faults.draw("incremental_assign")
        self._assigned_in_callback = True
        for tp in partitions:
            # librdkafka asks the broker for one by name (the end, the committed one), and that answer wins over a seek()
            # that came after the question: events were skipped
            assert tp.offset >= 0, "a partition is assigned at a number"
            self._assign(tp.partition, tp.offset)
        self._faults.settle(fault, "incremental_assign")

    def incremental_unassign(self, partitions: list[TopicPartition]) -> None:
        fault = self._faults.draw("incremental_unassign")
        self._assigned_in_callback = True
        for tp in partitions:
            self._fetch(tp.partition)
            del self.fetches[tp.partition]
        self._faults.settle(fault, "incremental_unassign")

    def _fetch(self, partition: int) -> Fetch:
        fetch = self.fetches.get(partition)
        if fetch is None:
            raise failure(KafkaError._STATE, f"partition {partition} is not assigned")
        return fetch

    def pause(self, partitions: list[TopicPartition]) -> None:
        fault = self._faults.draw("pause")
        if fault == FAIL:
            raise failure(KafkaError._STATE, "Failed to pause")
        for tp in partitions:
            self._fetch(tp.partition)
            self.paused.add(tp.partition)
        self._faults.settle(fault, "pause")

    def resume(self, partitions: list[TopicPartition]) -> None:
        fault = self._faults.draw("resume")
        for tp in partitions:
            self._fetch(tp.partition)
            self.paused.discard(tp.partition)
        self._faults.settle(fault, "resume")

    def seek(self, partition: TopicPartition) -> None:
        """Fails with _STATE where the fetcher has not started yet, or stops."""
        fault = self._faults.draw("seek")
        fetch = self._fetch(partition.partition)
        if fault == FAIL:
            raise failure(KafkaError._STATE, "Failed to seek")
        fetch.position = partition.offset
        self._faults.settle(fault, "seek")

    # ---- messages

    def position(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        found = []
        for tp in partitions:
            reported = self._fetch(tp.partition).reported
            found.append(TopicPartition(tp.topic, tp.partition, reported))
        return found

    def poll(self, timeout: float) -> Message | None:
        messages = self._messages("poll", 1, timeout)
        return messages[0] if messages else None

    def consume(self, num_messages: int, timeout: float) -> list[Message]:
        return self._messages("consume", num_messages, timeout)

    def _messages(self, call: str, limit: int, timeout: float) -> list[Message]:
        if self._closed:
            msg = "Consumer closed"
            raise RuntimeError(msg)
        fault = self._faults.draw(call)
        random = self._faults.rng.random
        if limit > 1 and random() < SMALL_FETCH:
            limit = min(limit, 1 + int(random() * 8))
        self.membership.polled = self._cluster.clock.now
        self.membership.run(self._cluster.clock.now)
        if self.membership.events and random() < PREFETCH:
            messages = self._take(limit)
            if messages:
                self._faults.settle(fault, call)
                return messages
        self._serve()
        messages = self._take(limit)
        if not messages:
            self._cluster.wait(timeout)
            self._serve()
            messages = self._take(limit)
        if fault != NONE:
            if fault == LAST:
                self._faults.die(call)
            messages.append(self._passing_error())
        return messages

    def _passing_error(self) -> ErrorMessage:
        """Of the client or of one partition; what it is about goes on by itself."""
        partition = min(self.fetches, default=-1)
        error = KafkaError(self._faults.rng.choice(PASSING), "simulated")
        return ErrorMessage(error, self._topic, partition)

    def _take(self, limit: int) -> list[Message]:
        if self.membership.fenced and not self._fenced:
            self._fenced = True
            # As librdkafka says it: the error is fatal by its code, and fatal() is False.
            error = KafkaError(KafkaError._FATAL, "Fatal error: Broker: Static consumer fenced by other consumer")
            return [ErrorMessage(error, "", -1)]
        found: list[Message] = []
        for partition in sorted(self.fetches):
            fetch = self.fetches[partition]
            if partition in self.paused or fetch.position is None or len(found) >= limit:
                continue
            if fetch.position == NO_OFFSET and not self._start_at_committed(partition, fetch, found):
                continue
            if not fetch.log.start <= fetch.position <= fetch.log.end:
                self._out_of_range(partition, fetch, found)
                continue
            records, fetch.position, reported = fetch.log.fetch(fetch.position, limit - len(found), fetch.log.stable)
            found += records
            if reported >= 0:
                fetch.reported = reported
        return found

    def _start_at_committed(self, partition: int, fetch: Fetch, found: list[Message]) -> bool:
        """An assignment without an offset goes on at the group's, once that is stable."""
        group = self._cluster.group
        if group.pending.get(partition):
            return False
        committed = group.offsets.get(partition)
        if committed is None:
            self._out_of_range(partition, fetch, found)
            return False
        fetch.position = committed.offset
        return True

    def _out_of_range(self, partition: int, fetch: Fetch, found: list[Message]) -> None:
        """auto.offset.reset=error: said once, then nothing more comes until a seek."""
        error = KafkaError(KafkaError._AUTO_OFFSET_RESET, "no offset to fetch from")
        found.append(ErrorMessage(error, self._topic, partition, fetch.position or NO_OFFSET))
        fetch.position = None
