"""Whether the outputs topic has what the states refer to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..kafka.interface import Kafka
from ..kafka.scan import STALLED_S, scan
from ..kafka.settled import settled_ranges
from .clock import Clock
from .config import WorkerConfig
from .emitted import Emitted, read_emitted
from .outputs import output_key, sha256_of

Emissions = dict[bytes, Emitted]


class Unresolved(NamedTuple):
    """A run whose state refers to an output that cannot be read. in_flight: it has changed meanwhile, which explains it."""

    run: bytes
    what: str
    in_flight: bool


def unresolved(
    kafka: Kafka, clock: Clock, config: WorkerConfig, partition: int, emitted: Emissions
) -> Iterator[Unresolved]:
    """emitted: the runs of the state topic, with what they name. Raises KafkaException, errors.Connection."""
    named = {
        output_key(run, n): (run, n, sha256) for run, each in emitted.items() for n, sha256 in each.named
    }  # fmt: skip
    if not named:
        return
    found = _read(kafka, clock, config, partition, frozenset(named))
    wrong = [
        (run, f"output {n} is {'another than the state refers to' if found.get(key) else 'missing'} there")
        for key, (run, n, sha256) in named.items()
        if found.get(key) != sha256
    ]
    if not wrong:
        return
    # an output may have been replaced, and deleted, between the two readings
    now = read_emitted(kafka, clock, config, partition, versions=False)
    for run, what in wrong:
        yield Unresolved(run, what, in_flight=now.get(run, Emitted(None, -1)).digest != emitted[run].digest)


def _read(
    kafka: Kafka, clock: Clock, config: WorkerConfig, partition: int, keys: frozenset[bytes]
) -> dict[bytes, bytes | None]:
    """The SHA-256 of the last value of each key; None of a tombstone."""
    topic = config.topics.outputs
    log = settled_ranges(kafka, topic, [partition], monotonic=clock.monotonic)[partition]
    found: dict[bytes, bytes | None] = {}
    reader = kafka.reader()
    try:
        for messages, _ in scan(
            reader, topic, partition, log.start, log.stable, stalled_s=STALLED_S, monotonic=clock.monotonic
        ):
            for message in messages:
                if (key := message.key() or b"") in keys:
                    found[key] = sha256_of(message.value())
    finally:
        reader.close()
    return found
