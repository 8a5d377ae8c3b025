"""Taking a Status: from the topics and the group, and the sizes of the stores on this host."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaException

from ..client.read import partitions_of
from ..kafka.cluster import Cluster
from ..kafka.failures import as_state_error
from ..kafka.inspection import group
from ..kafka.interface import GroupOffset, LogRange
from ..kafka.spans import Place, Span, newest, offsets_since, oldest, records, timestamp_s
from .status import Count, OpenTransaction, PartitionStatus, RejectionsStatus, Status, WorkerStatus
from .stores import size_on_disk

RECENT_S = 3600.0
"""Rejections of the last hour are recent."""

LOOK_S = 5.0
"""Longest time of one look into the topics: what has not come by then is not known."""

Ranges = Mapping[str, Mapping[int, LogRange]]
"""By topic and partition."""


def observe(cluster: Cluster, state_dir: Path) -> Status:
    """Raises errors.TopicMismatch where topics are missing, and errors.Connection."""
    topics = cluster.topics
    looked_into = (topics.events, topics.state, topics.checkpoints, topics.outputs, topics.rejections)
    numbers = {topic: partitions_of(cluster.admin, topic) for topic in looked_into}
    members = group(cluster.admin, cluster.group)
    try:
        # offsets before ends: what is committed meanwhile must not look like an offset beyond the end
        committed = cluster.group_offsets(numbers[topics.events])
        ranges = {topic: cluster.log_ranges(topic, numbers[topic]) for topic in looked_into}
        workers = [
            WorkerStatus(each.instance_id, each.host, each.partitions.get(topics.events, []))
            for each in members.members
        ]
        return Status(
            prefix=topics.prefix,
            group=cluster.group,
            group_state=members.state,
            at=time.time(),
            workers=workers,
            partitions=_partitions(cluster, ranges, committed, workers, state_dir),
            rejections=_read(cluster.inspector, lambda consumer: _rejections(consumer, topics.rejections, ranges)),
            open_transactions=_open_transactions(cluster, ranges),
        )
    except KafkaException as failure:
        raise as_state_error(failure, f"looking into the topics of {topics.prefix!r}") from None


def _read(reader: Callable[[], Consumer], look: Callable[[Consumer], Any]) -> Any:
    consumer = reader()
    try:
        return look(consumer)
    finally:
        consumer.close()


def _partitions(
    cluster: Cluster,
    ranges: Ranges,
    committed: Mapping[int, GroupOffset],
    workers: list[WorkerStatus],
    state_dir: Path,
) -> list[PartitionStatus]:
    topics = cluster.topics
    events, state = ranges[topics.events], ranges[topics.state]
    waiting = {number: _waiting(events[number], committed[number]) for number in events}
    unjudged = _read(
        cluster.inspector,
        lambda consumer: oldest(consumer, {(topics.events, number): span for number, span in waiting.items()}, _soon()),
    )
    outputs = _read(
        cluster.inspector,
        lambda consumer: newest(
            consumer,
            {
                (topic, number): Span(known.start, known.stable)
                for topic in (topics.state, topics.rejections)
                for number, known in ranges[topic].items()
            },
            _soon(),
        ),
    )
    owners = {number: worker.instance_id for worker in workers for number in worker.partitions}
    return [
        PartitionStatus(
            partition=number,
            start=known.start,
            end=known.stable,
            committed=committed[number].offset,
            changing=committed[number].pending,
            lag=waiting[number].length,
            waiting_since=_time(unjudged, topics.events, number),
            owner=owners.get(number),
            state_start=state[number].start,
            state_end=state[number].stable,
            last_output=max(
                filter(None, (_time(outputs, topic, number) for topic in (topics.state, topics.rejections))), default=None
            ),
            store_bytes=size_on_disk(state_dir / topics.events / str(number)),
        )
        for number, known in events.items()
    ]  # fmt: skip


def _waiting(known: LogRange, committed: GroupOffset) -> Span:
    """Without a committed offset all that the log has: a store on some host may know better."""
    return Span(max(known.start, committed.offset or 0), known.stable)


def _time(found: Mapping[Place, Any], topic: str, number: int) -> float | None:
    message = found.get((topic, number))
    return None if message is None else timestamp_s(message)


def _open_transactions(cluster: Cluster, ranges: Ranges) -> list[OpenTransaction]:
    places = {
        (topic, number): Span(known.stable, known.end)
        for topic, partitions in ranges.items()
        for number, known in partitions.items()
        if known.stable < known.end
    }
    if not places:
        return []
    first = _read(lambda: cluster.inspector("read_uncommitted"), lambda consumer: oldest(consumer, places, _soon()))
    return [
        OpenTransaction(topic, number, span.start, _time(first, topic, number))
        for (topic, number), span in places.items()
    ]


def _rejections(consumer: Consumer, topic: str, ranges: Ranges) -> RejectionsStatus:
    known = {number: Span(found.start, found.stable) for number, found in ranges[topic].items()}
    ends = {number: span.end for number, span in known.items()}
    since = offsets_since(consumer, topic, ends, time.time() - RECENT_S, LOOK_S)
    codes: Counter[str] = Counter()
    recent = _counted(consumer, {(topic, number): Span(since[number], end) for number, end in ends.items()}, codes)
    older = _counted(consumer, {(topic, number): Span(span.start, since[number]) for number, span in known.items()})
    kept = Count(recent.number + older.number, recent.exact and older.exact)
    return RejectionsStatus(kept, recent, dict(codes.most_common()))


def _counted(consumer: Consumer, spans: Mapping[Place, Span], codes: Counter[str] | None = None) -> Count:
    deadline = _soon()
    number = 0
    for message in records(consumer, spans, deadline):
        number += 1
        if codes is not None:
            headers = dict(message.headers() or ())
            codes[headers.get("code", b"").decode(errors="replace")] += 1
    if time.monotonic() < deadline:
        return Count(number, exact=True)
    return Count(sum(span.length for span in spans.values()), exact=False)


def _soon() -> float:
    return time.monotonic() + LOOK_S
