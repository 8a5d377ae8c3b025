"""A schema registry that may be away, as one process knows it."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from random import Random
from typing import TYPE_CHECKING

from llm_orchestrator_state.errors import Connection
from llm_orchestrator_state.model.records import EventRecord
from llm_orchestrator_state.wire import schemas
from llm_orchestrator_state.wire.codec import Codec
from llm_orchestrator_state.wire.framing import CONFLUENT, UnknownSchema
from llm_orchestrator_state.wire.schemas import Schema
from tests.simulation.faults import FAIL, UNKNOWN

if TYPE_CHECKING:
    from tests.simulation.process import SimProcess

OWN_IDS = {"TransitionEvent": 1, "WorkflowState": 2, "Checkpoint": 3}

SINGLE_OBJECT_HEADER = 10
"""Bytes."""

EVENT_IDS = range(10, 40)
"""Of the events' schema, registered again and again: each is asked for once by each process."""
STRANGE_IDS = range(90, 93)
"""Which nobody has registered."""


class Registered:
    """The registry itself, which answers whoever reaches it."""

    def schema_of(self, schema_id: int) -> Schema:
        if schema_id in EVENT_IDS:
            return schemas.current("TransitionEvent")
        raise UnknownSchema(f"the schema registry has no Avro schema with id {schema_id}")

    def id_of(self, message: str, schema: Schema) -> int:
        return OWN_IDS[message]


class Framing:
    """How publishers frame their events: each with an id of its own, or as if there were no registry."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._ids = rng.sample(EVENT_IDS, 4)

    def framed(self, value: bytes) -> bytes:
        """value: in single-object encoding."""
        draw = self._rng.random()
        if draw < 0.2:
            return value
        which = self._rng.choice(STRANGE_IDS if draw < 0.25 else self._ids)
        return CONFLUENT + which.to_bytes(4, "big") + value[SINGLE_OBJECT_HEADER:]


class ProcessCodec(Codec):
    """What one process has asked for. What was compiled is shared with all others: it takes longer than a schedule."""

    @classmethod
    def of(cls, shared: Codec, process: SimProcess) -> ProcessCodec:
        codec = copy.copy(shared)
        codec.__class__ = cls
        assert isinstance(codec, ProcessCodec)
        codec._process = process
        codec._known = set()
        return codec

    _process: SimProcess
    _known: set[bytes]

    def must_ask_for_some(self, messages: Iterable[bytes | None]) -> bool:
        return any(self._must_ask_for(message) for message in messages)

    def _must_ask_for(self, message: bytes | None) -> bool:
        return bool(message) and message[:1] == CONFLUENT and message[:5] not in self._known  # type: ignore[index] # not None: bool()

    def decode_event(self, message: bytes | None) -> EventRecord:
        if message is not None and self._must_ask_for(message):
            self._ask()
            if int.from_bytes(message[1:5], "big") in EVENT_IDS:
                self._known.add(message[:5])
        return super().decode_event(message)

    def _ask(self) -> None:
        process = self._process
        fault = process.faults.draw("registry")
        if fault in (FAIL, UNKNOWN) or process.clock.monotonic() < process.cluster.registry_away_until:
            raise Connection("simulated: the schema registry does not answer")
        process.faults.settle(fault, "registry")
