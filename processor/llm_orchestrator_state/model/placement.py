"""Where the values of a run are: in its state, or, beyond the inline limit, in records of the outputs topic.

A step's outputs or a context that would push the inline bytes of a state (UTF-8, outputs and context together) over the
limit goes out: it is written under the run's next number, and the state has a reference instead. What is inline stays
so. Where a reference stands, ``outputs`` is null, and ``context``, which cannot be, is the text ``null``.

An output that no state refers to any more is released. No checkpoint has it when none was taken since its birth: then its
record is deleted at once. Otherwise it waits in ``released_outputs``, sorted by ``released``, until KEPT_CHECKPOINTS
more were taken, and those that have it are gone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, NamedTuple

from .effects import Effect
from .limits import KEPT_CHECKPOINTS
from .records import EventRecord, OutputRefRecord, ReleasedOutputRecord, StateRecord
from .referring import NO_TEXT, ReadContext, inline_bytes, references, references_of, size_of


class Written(NamedTuple):
    """A record of the outputs topic. value: None deletes it. of_context: rather than of a step."""

    n: int
    value: bytes | None
    of_context: bool


class Placement:
    """Of one run; fold() tells it of every event that it applies.

    limit: bytes that may be inline. read_context: asked where a context is merged or restored. write: told what goes out
    and what goes, in this order.
    """

    __slots__ = ("_bytes_inline", "_limit", "_write", "read_context")

    def __init__(self, limit: int, read_context: ReadContext, write: Callable[[Written], None]) -> None:
        self.read_context = read_context
        self._write = write
        self._limit = limit
        # bytes inline in the run's state; None: to be summed up, which takes a look at every step
        self._bytes_inline: int | None = None

    def step_ended(self, state: StateRecord, step_id: str, text: str | None, ref: OutputRefRecord | None) -> None:
        """text, ref: of its outputs before the event, which has put others, or none, in their place."""
        step = state["steps"][step_id]
        outputs = step["outputs"]
        if outputs is None and text is None and ref is None:
            return
        step["outputs_ref"] = out = self._replaced(state, text, ref, outputs, of_context=False)
        if out is not None:
            step["outputs"] = None

    def context_replaced(self, state: StateRecord, text: str | None, ref: OutputRefRecord | None) -> None:
        """text, ref: of the context before the event."""
        state["context_ref"] = None
        state["context_ref"] = out = self._replaced(state, text, ref, state["context"], of_context=True)
        if out is not None:
            state["context"] = NO_TEXT

    def all_replaced(self, state: StateRecord, before: dict[int, tuple[OutputRefRecord, bool]]) -> None:
        """By a given state, whose references have been found good. before: references_of() the old one."""
        released = {entry["n"]: entry for entry in state["released_outputs"]}

        def again(ref: OutputRefRecord, n: int) -> OutputRefRecord:
            if (known := before.pop(ref["n"], None)) is not None:
                return known[0]
            # a checkpoint has it, whatever the given one says: to be released later, not deleted at once
            return {**ref, "born": min(ref["born"], released.pop(n)["released"] - 1)}

        if (ref := state["context_ref"]) is not None:
            state["context_ref"] = again(ref, -ref["n"])
        for step in state["steps"].values():
            if (ref := step["outputs_ref"]) is not None:
                step["outputs_ref"] = again(ref, ref["n"])
        state["released_outputs"] = list(released.values())
        for ref, of_context in before.values():
            self._release(state, ref, of_context=of_context)
        self._bytes_inline, _ = self._place_all(state, state, state["checkpoint_count"])

    def checkpointed(self, state: StateRecord, given: StateRecord | None) -> None:
        """checkpoint_count has been raised. given: the checkpoint's snapshot, where it is not the state."""
        count, released = state["checkpoint_count"], state["released_outputs"]
        if given is not None:
            named = {-ref["n"] if of_context else ref["n"] for ref, of_context in references(given)}
            # born before this checkpoint, which is the only one that has them
            _, born = self._place_all(state, given, count - 1)
            kept = [entry for entry in released if entry["n"] not in named]
            again = [entry["n"] for entry in released if entry["n"] in named]
            kept.extend({"n": n, "released": count} for n in (*again, *born))
            released[:] = kept
        over = 0
        while over < len(released) and count - released[over]["released"] >= KEPT_CHECKPOINTS:
            self._delete(released[over])
            over += 1
        del released[:over]

    def run_deleted(self, state: StateRecord) -> None:
        for ref, of_context in references(state):
            self._write(Written(ref["n"], None, of_context))
        for entry in state["released_outputs"]:
            self._delete(entry)

    def _replaced(
        self, state: StateRecord, text: str | None, ref: OutputRefRecord | None, by: str | None, *, of_context: bool
    ) -> OutputRefRecord | None:
        """One value by another one, which is in the state already; the reference to that where it is to go out."""
        inline = inline_bytes(state) - size_of(by) if self._bytes_inline is None else self._bytes_inline - size_of(text)
        if ref is not None:
            self._release(state, ref, of_context=of_context)
        size = size_of(by)
        if by is None or inline + size <= self._limit:
            self._bytes_inline = inline + size
            return None
        self._bytes_inline = inline
        return self._out(state, by, state["checkpoint_count"], of_context=of_context)

    def _place_all(self, state: StateRecord, given: StateRecord, born: int) -> tuple[int, list[int]]:
        """In this order: context, then steps. Inline bytes, and the numbers of what went out (negative: the context)."""
        inline, out = 0, []
        if given["context_ref"] is None:
            inline = size_of(given["context"])
            if inline > self._limit:
                ref = given["context_ref"] = self._out(state, given["context"], born, of_context=True)
                given["context"] = NO_TEXT
                out.append(-ref["n"])
                inline = 0
        for step in given["steps"].values():
            if (outputs := step["outputs"]) is None:
                continue
            size = size_of(outputs)
            if inline + size > self._limit:
                ref = step["outputs_ref"] = self._out(state, outputs, born, of_context=False)
                step["outputs"] = None
                out.append(ref["n"])
            else:
                inline += size
        return inline, out

    def _out(self, state: StateRecord, text: str, born: int, *, of_context: bool) -> OutputRefRecord:
        value = text.encode()
        n = state["output_count"] = state["output_count"] + 1
        self._write(Written(n, value, of_context))
        return {"n": n, "bytes": len(value), "sha256": hashlib.sha256(value).digest(), "born": born}

    def _release(self, state: StateRecord, ref: OutputRefRecord, *, of_context: bool) -> None:
        n, count = ref["n"], state["checkpoint_count"]
        # born is the count before the event's own checkpoint, so that one counts as taken since
        if count == ref["born"]:
            self._write(Written(n, None, of_context))
        else:
            # a context's text is kept in the stores too, and a context may be restored from nothing else
            state["released_outputs"].append({"n": -n if of_context else n, "released": count})

    def _delete(self, entry: ReleasedOutputRecord) -> None:
        self._write(Written(abs(entry["n"]), None, entry["n"] < 0))


def _step_outputs(placement: Placement, effect: Effect, state: StateRecord, event: EventRecord) -> StateRecord:
    fields = event["transition"][1]
    step = state["steps"].get(fields["step_id"])
    text, ref = (None, None) if step is None else (step["outputs"], step["outputs_ref"])
    state = effect(state, fields, event)
    placement.step_ended(state, fields["step_id"], text, ref)
    return state


def _first_context(placement: Placement, effect: Effect, _none: None, event: EventRecord) -> StateRecord:
    state = effect(None, event["transition"][1], event)
    placement.context_replaced(state, None, None)
    return state


def _context(placement: Placement, effect: Effect, state: StateRecord, event: EventRecord) -> StateRecord:
    ref, text = state["context_ref"], state["context"]
    if ref is not None:
        state["context"] = placement.read_context(ref["n"])
    state = effect(state, event["transition"][1], event)
    placement.context_replaced(state, text if ref is None else None, ref)
    return state


def _everything(placement: Placement, effect: Effect, state: StateRecord | None, event: EventRecord) -> StateRecord:
    before = references_of(state)
    state = effect(state, event["transition"][1], event)
    placement.all_replaced(state, before)
    return state


PLACED: dict[str, Callable[[Placement, Effect, Any, EventRecord], StateRecord]] = {
    "WorkflowCreated": _first_context,
    "ContextUpdated": _context,
    "StepStarted": _step_outputs,
    "StepCompleted": _step_outputs,
    "StepFailed": _step_outputs,
    "WorkflowSaved": _everything,
    "WorkflowRestored": _everything,
}
"""The kinds whose effect puts values into a state or takes them out, each around its effect."""
