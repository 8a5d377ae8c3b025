"""What the processor writes: records of its output topics, and how a rejection and a checkpoint are made."""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

from ..kafka.interface import Headers, Message
from ..kafka.properties import MAX_OUTPUT_BYTES
from ..model.ids import checkpoint_id
from ..model.records import EventRecord, StateRecord
from ..model.verdicts import Rejection

MAX_REJECTION_BYTES = MAX_OUTPUT_BYTES - 16 * 1024
"""A rejection's key, value and headers together: what the rejections topic takes, less the batch's own overhead."""

MAX_KEY_BYTES = 1024
"""A longer key is none of ours, and is left out of its rejection."""


class Record(NamedTuple):
    key: bytes | None
    value: bytes | None
    headers: Headers


class Changes(NamedTuple):
    """What one commit writes for one partition. Every run, checkpoint slot and output occurs once.

    contexts: no records but what the store keeps besides the states, by the outputs topic's keys.
    """

    states: list[Record]
    checkpoints: list[Record]
    rejections: list[Record]
    outputs: list[Record]
    contexts: dict[bytes, bytes | None]


def output_key(run: bytes, n: int) -> bytes:
    """Of a record of the outputs topic."""
    return b"%s/%d" % (run, n)


def sha256_of(value: bytes | None) -> bytes | None:
    """Of an output; None of a tombstone."""
    return None if value is None else hashlib.sha256(value).digest()


def rejection_record(topic: str, message: Message, event: EventRecord | None, why: Rejection) -> Record:
    """The rejected record's own bytes, with the reason and its place in the topic as headers.

    event: where it could be decoded. What does not fit is left out, and its SHA-256 is a header.
    """
    key, value = message.key(), message.value()
    headers = [
        ("code", why.code.value.encode()),
        ("detail", why.detail.encode(errors="replace")[:1024].decode(errors="ignore").encode()),
        ("source-topic", topic.encode()),
        ("source-partition", b"%d" % message.partition()),
        ("source-offset", b"%d" % message.offset()),
    ]
    if event is not None:
        headers.append(("event-id", event["event_id"][:64].encode("ascii", "backslashreplace")[:64]))
    if len(key or b"") + len(value or b"") > MAX_REJECTION_BYTES:
        headers.append(("sha256", hashlib.sha256(value or b"").hexdigest().encode()))
        value = None
    return Record(key if len(key or b"") <= MAX_KEY_BYTES else None, value, headers)


def checkpoint_head(state: StateRecord, event: EventRecord) -> dict[str, Any]:
    """All of the checkpoint but its snapshot."""
    fields = event["transition"][1]
    timestamp = fields.get("timestamp")
    return {
        "id": (fields.get("checkpoint_id") or checkpoint_id(state["id"], event["event_id"].lower())).lower(),
        "workflow_state_id": state["id"],
        "step_id": fields.get("step_id", ""),
        "timestamp": event["occurred_at"] if timestamp is None else timestamp,
        "version": state["version"],
    }
