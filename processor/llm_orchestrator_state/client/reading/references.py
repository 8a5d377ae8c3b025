"""Where records refer to the outputs topic, and putting the values there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import NamedTuple, Self

from ...errors import Serialization
from ...model.records import OutputRefRecord, StateRecord, StepRecord


class Value(NamedTuple):
    """A value of the outputs topic: a JSON text in UTF-8, and its digest."""

    text: bytes
    sha256: bytes

    @classmethod
    def of(cls, text: bytes) -> Self:
        return cls(text, sha256(text).digest())


class Reference(NamedTuple):
    """What a state or one of its steps refers to. holder: gets the value."""

    key: bytes
    ref: OutputRefRecord
    state: StateRecord
    step: StepRecord | None

    def fill(self, value: Value) -> None:
        """Raises Serialization for a value that is not the one that was written."""
        if value.sha256 != self.ref["sha256"] or len(value.text) != self.ref["bytes"]:
            raise Serialization(
                f"output {self.key.decode()} is not what {self._where()} refers to: found {len(value.text)} bytes with "
                f"SHA-256 {value.sha256.hex()}, expected {self.ref['bytes']} with {self.ref['sha256'].hex()}; the outputs "
                "topic was written by something else than the processor, and `rebuild` makes it anew from the event log"
            )
        text = value.text.decode()
        if self.step is None:
            self.state["context"] = text
        else:
            self.step["outputs"] = text

    def _where(self) -> str:
        run = f"run {self.state['id']}, version {self.state['version']},"
        return f"the context of {run}" if self.step is None else f"step {self.step['step_id']!r} of {run}"


def references(states: Iterable[StateRecord]) -> list[Reference]:
    """Of states as they are on the topics: with a reference, the value is not there."""
    found: list[Reference] = []
    for state in states:
        holders: list[tuple[OutputRefRecord | None, StepRecord | None]] = [(state["context_ref"], None)]
        holders += [(step["outputs_ref"], step) for step in state["steps"].values()]
        for ref, step in holders:
            if ref is not None:
                found.append(Reference(output_key(state["id"], ref["n"]), ref, state, step))
    return found


def output_key(run_id: str, n: int) -> bytes:
    """The key of a record of the outputs topic."""
    return b"%b/%d" % (run_id.encode(), n)


def fill(wanted: Sequence[Reference], values: Sequence[Value]) -> None:
    """Raises Serialization; the records are then of no use."""
    for reference, value in zip(wanted, values, strict=True):
        reference.fill(value)
