"""Finding rejections: all that are asked for, or one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from ...errors import InvalidState, NotFound
from ...hints import command
from ...kafka.headers import number
from ...kafka.scan import STALLED_S, scan
from ...model.ids import is_uuid
from ..read import Log, messages
from .record import Address, Origin, Rejection, redriven_id, rejection_of


class Wanted(NamedTuple):
    """Which rejections. What is None does not restrict.

    named: addresses and event ids, of which one has to fit. since: microseconds since 1970 UTC.
    """

    named: frozenset[Address | str] | None = None
    code: str | None = None
    run_id: str | None = None
    since: int | None = None

    def allows(self, rejection: Rejection) -> bool:
        return (
            (self.named is None or not self.named.isdisjoint((rejection.address, (rejection.event_id or "").lower())))
            and (self.code is None or rejection.code == self.code)
            and (self.run_id is None or (rejection.run_id or "").lower() == self.run_id)
            and (self.since is None or rejection.rejected_at is None or rejection.rejected_at >= self.since)
        )


def rejections(
    kafka: Log,
    topic: str,
    partitions: Sequence[int],
    wanted: Wanted,
    told: Callable[[int], None] = lambda _: None,
) -> list[Rejection]:
    """Those that are wanted, the newest last, without bodies; an event that was judged twice is in it once.

    told: called with the number of partitions that have been read. Raises Connection.
    """
    found: list[Rejection] = []
    for done, partition in enumerate(partitions, 1):
        every = {}
        for message in messages(kafka, topic, [partition]):
            rejection = rejection_of(message)._replace(body=None)
            every[rejection.address or rejection.record] = rejection
        found += filter(wanted.allows, _linked(list(every.values())))
        told(done)
    return sorted(found, key=lambda each: (each.rejected_at or 0, each.record))


def with_bodies(kafka: Log, topic: str, events_topic: str, chosen: Iterable[Rejection]) -> Iterator[Rejection]:
    """The same with the events' bytes, in the order of the partitions and their logs.

    What a rejection was too small to carry is read from the event log, where it is still there. Raises Connection.
    """
    reader = kafka.reader()
    try:
        for partition, group in groupby(
            sorted(chosen, key=lambda each: each.record), lambda each: each.record.partition
        ):
            places = {each.record.offset: each for each in group}
            for batch, _ in scan(reader, topic, partition, min(places), max(places) + 1, stalled_s=STALLED_S):
                for message in batch:
                    if (each := places.get(message.offset())) is not None:
                        yield each._replace(body=message.value() or _event_body(kafka, events_topic, each))
    finally:
        reader.close()


def _linked(found: list[Rejection]) -> list[Rejection]:
    """With what each one was another try of: its event id is the one that the first would be published again with."""
    first: dict[str, Origin] = {}
    linked = []
    for each in found:
        rejection = each._replace(redriven_from=first.get(each.event_id or ""))
        linked.append(rejection)
        again = redriven_id(rejection)
        if again is not None and rejection.redriven_from is None and rejection.address and rejection.event_id:
            first[again] = Origin(rejection.address, rejection.event_id)
    return linked


def parse_address(text: str) -> Address | None:
    """``3:1042``; None for anything else."""
    before, _, after = text.partition(":")
    partition, offset = number(before), number(after)
    return None if partition is None or offset is None else Address(partition, offset)


def find(kafka: Log, topic: str, partitions: Sequence[int], which: str) -> tuple[Rejection, int]:
    """The newest that an address, event id or run id names, and how many others it names.

    Raises InvalidState for what is none of these, NotFound, Connection.
    """
    address = parse_address(which)
    if address is not None:
        read = [number for number in partitions if number == address.partition]
        among = [Wanted(named=frozenset([address]))]
    elif is_uuid(which):
        read = list(partitions)
        among = [Wanted(named=frozenset([which.lower()])), Wanted(run_id=which.lower())]
    else:
        raise InvalidState(
            f"{which!r} names no rejection; expected PARTITION:OFFSET as `{command('rejections', 'list')}` shows it, an "
            "event id or a run id"
        )
    everything = rejections(kafka, topic, read, Wanted())
    for wanted in among:
        if found := list(filter(wanted.allows, everything)):
            return found[-1], len(found) - 1
    raise NotFound(f"no rejection {which} in {topic}; `{command('rejections', 'list')}` shows those there are")


def _event_body(kafka: Log, topic: str, rejection: Rejection) -> bytes | None:
    """None where the log no longer has it, and for one that was empty."""
    if rejection.sha256 is None or rejection.address is None:
        return None
    partition, offset = rejection.address
    known = kafka.log_ranges(topic, [partition])[partition]
    if not known.start <= offset < known.stable:
        return None
    reader = kafka.reader()
    try:
        for batch, _ in scan(reader, topic, partition, offset, offset + 1, stalled_s=STALLED_S):
            for message in batch:
                return message.value()
    finally:
        reader.close()
    return None
