"""Bytes and records: everything that is written to or read from a topic goes through a Codec."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from ..model.placement import Placement
from ..model.records import CheckpointRecord, EventRecord, StateRecord, StepRecord
from . import schemas
from .avro import AvroError, read_block_counts, read_string, reader, write_long, write_string, writer
from .framing import Framing, Registry
from .written_out import read_event, write_live, write_step

_STATE = schemas.current("WorkflowState")
_HEAD = schemas.fields(_STATE, "id", "context_ref")
_CHECKPOINT_HEAD = schemas.fields(schemas.current("Checkpoint"), "id", "version")

_read_head, _write_head = reader(_HEAD), writer(_HEAD)
_read_live = reader(schemas.fields(_STATE, "status", "usage"))
_read_step = reader(schemas.current("StepState"))
_write_checkpoint_head = writer(_CHECKPOINT_HEAD)
_write_event = writer(schemas.current("TransitionEvent"))

_RUN_BYTES, _STEP_BYTES, _ENTRY_BYTES = 2_000, 900, 100
"""Of memory for a run, a step and a label, besides their encoded bytes: dicts, and the objects in them."""


class KeptState:
    """A state together with the encoded parts that did not change since they were last written.

    A state's encoding is its head (fields that seldom change), its live fields, and its steps. Only the live fields
    are written every time; a step is written when it has changed.
    """

    __slots__ = ("_changed", "_head", "_steps", "bound", "placement", "record")

    def __init__(self, record: StateRecord, bound: int) -> None:
        self.record = record
        self.bound = bound
        """No smaller than the encoded size in bytes."""
        self.placement: Placement | None = None
        """Of its values, where some go out."""
        self._head: bytes | None = None
        self._steps: dict[str, bytes] = {}
        # a dict for its order, which is that of first appearance
        self._changed: dict[str, None] = dict.fromkeys(record["steps"])

    @property
    def weight(self) -> int:
        """About the bytes of memory that it takes, encoded once more included (measured: states of 140 bytes to 4 MB)."""
        record = self.record
        return 3 * self.bound + _RUN_BYTES + _STEP_BYTES * len(record["steps"]) + _ENTRY_BYTES * len(record["labels"])

    def step_changed(self, step_id: str) -> None:
        self._changed[step_id] = None

    def head_changed(self) -> None:
        self._head = None

    def all_changed(self) -> None:
        self._head = None
        self._steps.clear()
        self._changed = dict.fromkeys(self.record["steps"])

    def encode(self) -> bytes:
        """The Avro body, without framing."""
        record = self.record
        if self._head is None:
            self._head = _write_head(record)
        steps = self._steps
        if self._changed:
            for step_id in self._changed:
                steps[step_id] = write_string(step_id) + write_step(record["steps"][step_id])
            self._changed.clear()
        if not steps:
            body = self._head + write_live(record) + b"\0"
        else:
            body = b"".join((self._head, write_live(record), write_long(len(steps)), *steps.values(), b"\0"))
        self.bound = len(body)
        return body

    @classmethod
    def decode(cls, message: bytes, start: int) -> KeptState:
        """Of a body that this class has written, with its parts kept. Raises IndexError or ValueError for another."""
        head, at = _read_head(message, start)
        encoded_head = message[start:at]
        live, at = _read_live(message, at)
        steps: dict[str, StepRecord] = {}
        encoded: dict[str, bytes] = {}
        while message[at]:
            count, at = read_block_counts(message, at)
            for _ in range(count):
                begin = at
                step_id, at = read_string(message, at)
                steps[step_id], at = _read_step(message, at)
                encoded[step_id] = message[begin:at]
        if at + 1 != len(message):
            raise AvroError("bytes follow the state")
        kept = cls(cast(StateRecord, {**head, **live, "steps": steps}), len(message))
        kept._changed.clear()
        kept._head, kept._steps = encoded_head, encoded
        return kept


class Codec:
    """Encodes and decodes the values of all topics.

    Decoding raises as Framing.decode() says, and the first encoding of each message as Framing.header.
    """

    def __init__(self, registry: Registry | None = None) -> None:
        self._events = Framing("TransitionEvent", registry, read_event)
        self._states = Framing("WorkflowState", registry)
        self._checkpoints = Framing("Checkpoint", registry)

    def prepare(self) -> None:
        """Ask the registry, where there is one, for what writing states and checkpoints takes; later it may be away.

        Raises errors.Connection and errors.Configuration.
        """
        _ = self._states.header, self._checkpoints.header

    def encode_event(self, event: EventRecord | Mapping[str, Any]) -> bytes:
        return self._events.header + _write_event(event)

    def decode_event(self, message: bytes | None) -> EventRecord:
        return cast(EventRecord, self._events.decode(message))

    def must_ask_for_some(self, messages: Iterable[bytes | None]) -> bool:
        """Whether decode_event() would ask a schema registry, which may not answer, for one of them."""
        return self._events.must_ask_for_some(messages)

    def frame_state(self, body: bytes) -> bytes:
        return self._states.header + body

    def encode_state(self, state: StateRecord) -> bytes:
        return self.frame_state(KeptState(state, 0).encode())

    def decode_state(self, message: bytes | None) -> StateRecord:
        return cast(StateRecord, self._states.decode(message))

    def outline(self, message: bytes) -> Mapping[str, Any]:
        """The fields of a state but its steps, of which there may be many."""
        for header in self._states.current_headers:
            if message.startswith(header):
                head, at = _read_head(message, len(header))
                live, _ = _read_live(message, at)
                return {**head, **live}
        return self.decode_state(message)

    def keep_state(self, message: bytes) -> KeptState:
        """Like decode_state(), for a processor that will write the state again."""
        for header in self._states.current_headers:
            if message.startswith(header):
                try:
                    return KeptState.decode(message, len(header))
                except (IndexError, ValueError):
                    break  # it is none of ours, and decode_state() tells what is wrong with it
        kept = KeptState(self.decode_state(message), 0)
        kept.encode()  # an older schema's bytes are not kept, and say nothing of the size
        return kept

    def encode_checkpoint(self, head: Mapping[str, Any], state_body: bytes) -> bytes:
        """The snapshot is the record's last field, so a state's body goes behind the other fields as it is."""
        return self._checkpoints.header + _write_checkpoint_head(head) + state_body

    def checkpoint_size(self, head: Mapping[str, Any], state_body: bytes) -> int:
        """Bytes of such a checkpoint without its framing, which is not the same everywhere."""
        return len(_write_checkpoint_head(head)) + len(state_body)

    def decode_checkpoint(self, message: bytes | None) -> CheckpointRecord:
        return cast(CheckpointRecord, self._checkpoints.decode(message))
