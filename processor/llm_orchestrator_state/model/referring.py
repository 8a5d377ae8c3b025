"""What a state refers to: outputs that are records of the outputs topic, ``<run>/<n>``."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator

from .records import EventRecord, OutputRefRecord, StateRecord

NO_TEXT = "null"
"""In place of a context that is in the outputs topic."""

GIVEN_STATES = {"WorkflowSaved": "state", "WorkflowRestored": "snapshot", "CheckpointRequested": "snapshot"}
"""The kinds that carry a state, and in which field: it may refer to outputs."""

ReadContext = Callable[[int], str]
"""The text of a run's context that is out, by its number."""


def size_of(text: str | None) -> int:
    """In UTF-8 bytes."""
    if text is None:
        return 0
    return len(text) if text.isascii() else len(text.encode())


def inline_bytes(state: StateRecord) -> int:
    """Of a state's outputs and context, as far as they are in it."""
    context = 0 if state["context_ref"] is not None else size_of(state["context"])
    return context + sum([size_of(step["outputs"]) for step in state["steps"].values()])


def references(state: StateRecord) -> Iterator[tuple[OutputRefRecord, bool]]:
    """With whether it is the context's: that one first."""
    if (ref := state["context_ref"]) is not None:
        yield ref, True
    for step in state["steps"].values():
        if (ref := step["outputs_ref"]) is not None:
            yield ref, False


def references_of(state: StateRecord | None) -> dict[int, tuple[OutputRefRecord, bool]]:
    """references(), by number."""
    return {} if state is None else {ref["n"]: (ref, of_context) for ref, of_context in references(state)}


def gone_reference(state: StateRecord | None, event: EventRecord, read_context: ReadContext | None) -> str | None:
    """What the event's state refers to that the run does not have, as far as its state can tell; None where all is there.

    Of a released output of a step nothing is known but its number. A released context is compared, because what is taken
    for a context is merged later.
    """
    kind, fields = event["transition"]
    given: StateRecord | None = fields[GIVEN_STATES[kind]]
    named = [] if given is None else list(references(given))
    if not named:
        return None
    live = references_of(state)
    released = set() if state is None else {entry["n"] for entry in state["released_outputs"]}
    for ref, of_context in named:
        known = live.get(ref["n"])
        if known is not None:
            there = known[1] is of_context and _same(known[0], ref)
        elif of_context:
            there = -ref["n"] in released and (read_context is None or _is_text_of(read_context(ref["n"]), ref))
        else:
            there = ref["n"] in released
        if not there:
            return f"the state given refers to output {ref['n']}{' as its context' if of_context else ''}, which is not there"
    return None


def _same(one: OutputRefRecord, other: OutputRefRecord) -> bool:
    return one["sha256"] == other["sha256"] and one["bytes"] == other["bytes"]


def _is_text_of(text: str, ref: OutputRefRecord) -> bool:
    value = text.encode()
    return len(value) == ref["bytes"] and hashlib.sha256(value).digest() == ref["sha256"]
