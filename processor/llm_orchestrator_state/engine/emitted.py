"""What the state topic says of each run, as far as it has to be compared."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from ..errors import Serialization
from ..kafka.headers import source_offset
from ..kafka.interface import Kafka
from ..kafka.scan import STALLED_S, scan
from ..kafka.settled import settled_ranges
from ..model.referring import references
from .clock import Clock
from .config import WorkerConfig


class Emitted(NamedTuple):
    """The last record of a run.

    digest: None of a tombstone, which tells too how far the run was judged.
    version: of the state; 0 where it is not needed or cannot be read. named: outputs to which it refers, number and
    SHA-256; where they are needed.
    """

    digest: bytes | None
    source_offset: int
    version: int = 0
    named: tuple[tuple[int, bytes], ...] = ()


def digest_of(value: bytes) -> bytes:
    return hashlib.blake2b(value, digest_size=16).digest()


def read_emitted(
    kafka: Kafka, clock: Clock, config: WorkerConfig, partition: int, *, versions: bool, named: bool = False
) -> dict[bytes, Emitted]:
    """The last committed record of each run in the state topic.

    versions, named: whether they are needed. Raises KafkaException, errors.Connection.
    """
    topic = config.topics.state
    # the group's offset is that of a commit whose states may become visible only now
    log = settled_ranges(kafka, topic, [partition], monotonic=clock.monotonic)[partition]
    latest: dict[bytes, Emitted] = {}
    reader = kafka.reader()
    try:
        for messages, _ in scan(
            reader, topic, partition, log.start, log.stable, stalled_s=STALLED_S, monotonic=clock.monotonic
        ):
            for message in messages:
                value, key = message.value(), message.key() or b""
                digest = None if value is None else digest_of(value)
                version = version_of(config, value) if versions else 0
                refers = _named(config, value) if named else ()
                latest[key] = Emitted(digest, source_offset(message.headers()), version, refers)
    finally:
        reader.close()
    return latest


def version_of(config: WorkerConfig, value: bytes | None) -> int:
    """The state's version; 0 for what is no state."""
    try:
        return 0 if value is None else config.codec.decode_state(value)["version"]
    except Serialization:
        return 0


def _named(config: WorkerConfig, value: bytes | None) -> tuple[tuple[int, bytes], ...]:
    try:
        if value is None or not config.codec.outline(value)["output_count"]:
            return ()
        return tuple((ref["n"], ref["sha256"]) for ref, _ in references(config.codec.decode_state(value)))
    except Serialization:
        return ()
