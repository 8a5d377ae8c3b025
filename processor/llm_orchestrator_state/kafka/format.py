"""What a topic set was made with, recorded once in ``<prefix>.meta`` (key ``format``, value JSON)."""

from __future__ import annotations

import time
from typing import Literal

import msgspec
from confluent_kafka import OFFSET_BEGINNING, KafkaException, Producer, TopicPartition

from ..errors import Connection, TopicMismatch
from ..model import limits
from .admin import REQUEST_TIMEOUT_S, Admin
from .failures import as_state_error
from .logs import logger
from .offsets import watermarks
from .properties import PRODUCER, READER, with_pass_through
from .reader import Reader

CheckpointPolicy = Literal["step", "requested", "off"]

KEY = b"format"

INLINE_LIMITS = {None, limits.INLINE_LIMIT}
"""Topic sets that were made before outputs went out keep everything inline, for ever."""


class Format(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Constants of a topic set's life. With other values a replay of the same log would give other bytes.

    partitions: of each topic but ``meta``.
    checkpoints: one after each completed step, only where an event requests one, or none.
    window: event ids that a state remembers.
    kept_checkpoints: per run.
    max_state_bytes: of an encoded state.
    max_json_depth: deepest nesting of a JSON value.
    inline_limit: bytes of context and outputs that stay in a state; None: all do.
    rebuilt_from: prefix of the topic set from whose log the states were made; its runs' events are not in this log.
    """

    partitions: int
    checkpoints: CheckpointPolicy
    window: int
    kept_checkpoints: int
    max_state_bytes: int
    max_json_depth: int
    inline_limit: int | None = None
    rebuilt_from: str | None = None

    @classmethod
    def current(cls, partitions: int, checkpoints: CheckpointPolicy = "step") -> Format:
        """The format that this version of the package writes."""
        return cls(
            partitions=partitions,
            checkpoints=checkpoints,
            window=limits.WINDOW,
            kept_checkpoints=limits.KEPT_CHECKPOINTS,
            max_state_bytes=limits.MAX_STATE_BYTES,
            max_json_depth=limits.MAX_JSON_DEPTH,
            inline_limit=limits.INLINE_LIMIT,
        )

    def to_json(self) -> bytes:
        return msgspec.json.encode(self)

    @classmethod
    def from_json(cls, text: bytes) -> Format:
        """Raises TopicMismatch for what this version does not know: it must not guess at a newer one's constants."""
        try:
            return msgspec.json.decode(text, type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise TopicMismatch(
                f"the recorded format {text[:300]!r} cannot be used ({error}): the topic set was made with another "
                "version of llm-orchestrator-state; use that version"
            ) from None

    def mismatches(self) -> list[str]:
        """The recorded constants that are not this version's, one line each."""
        ours = Format.current(self.partitions, self.checkpoints)
        allowed = {name: {getattr(ours, name)} for name in self.__struct_fields__} | {"inline_limit": INLINE_LIMITS}
        return [
            f"format: found {name}={theirs}, needed {name}={getattr(ours, name)}; "
            "the topic set was made with another version of llm-orchestrator-state: use that version"
            for name in self.__struct_fields__
            if name != "rebuilt_from" and (theirs := getattr(self, name)) not in allowed[name]
        ]


def read_format(admin: Admin, topic: str) -> Format | None:
    """The last one written, as compaction keeps it; None where none is. Raises TopicMismatch, Connection."""
    consumer = Reader(with_pass_through(READER, admin.bootstrap_servers, admin.properties), logger=logger)
    try:
        value = _last_value(consumer, topic)
    except KafkaException as failure:
        raise as_state_error(failure, f"reading topic {topic}") from None
    finally:
        consumer.close()
    return None if value is None else Format.from_json(value)


def _last_value(consumer: Reader, topic: str) -> bytes | None:
    _, end = watermarks(consumer, TopicPartition(topic, 0))
    consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    deadline = time.monotonic() + REQUEST_TIMEOUT_S
    value = None
    while end > 0 and consumer.position([TopicPartition(topic, 0)])[0].offset < end:
        if time.monotonic() > deadline:
            raise Connection(
                f"topic {topic} could not be read to its end in {REQUEST_TIMEOUT_S:g} s; check the brokers"
            )
        for message in consumer.consume(100, 0.1):
            if error := message.error():
                raise KafkaException(error)
            if message.key() == KEY:
                value = message.value()
    return value


def write_format(admin: Admin, topic: str, made: Format) -> None:
    """Raises Connection when the brokers do not take it."""
    conf = with_pass_through(PRODUCER, admin.bootstrap_servers, admin.properties)
    producer = Producer(conf | {"message.timeout.ms": int(REQUEST_TIMEOUT_S * 1000)}, logger=logger)
    failures: list[KafkaException] = []
    producer.produce(
        topic,
        made.to_json(),
        KEY,
        0,
        on_delivery=lambda error, _: failures.append(KafkaException(error)) if error else None,
    )
    producer.flush()
    if failures:
        raise as_state_error(failures[0], f"writing topic {topic}")
