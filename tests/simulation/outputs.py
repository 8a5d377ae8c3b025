"""What must be true of the outputs topic, whatever led to it: read from what states and checkpoints say."""

from __future__ import annotations

import hashlib
from typing import Any

from llm_orchestrator_state.wire.codec import Codec
from tests.simulation.registry import Registered

CODEC = Codec(Registered())
CODEC.prepare()
# it reads states of either framing

Table = dict[bytes, bytes]


def _named(run: bytes, state: Any) -> dict[bytes, bytes]:
    """Key of each record that the state refers to, and the SHA-256 of what must be there."""
    refs = [state["context_ref"], *(step["outputs_ref"] for step in state["steps"].values())]
    return {b"%s/%d" % (run, ref["n"]): ref["sha256"] for ref in refs if ref is not None}


def _waiting(run: bytes, state: Any) -> set[bytes]:
    return {b"%s/%d" % (run, abs(entry["n"])) for entry in state["released_outputs"]}


def contexts_of(states: Table) -> set[bytes]:
    """Keys of the contexts that are out, or wait to be deleted: stores have them."""
    found = set()
    for run, value in states.items():
        state = CODEC.decode_state(value)
        numbers = [-entry["n"] for entry in state["released_outputs"] if entry["n"] < 0]
        if state["context_ref"] is not None:
            numbers.append(state["context_ref"]["n"])
        found |= {b"%s/%d" % (run, n) for n in numbers}
    return found


def what_is_wrong(outputs: Table, states: Table, checkpoints: Table) -> str:
    """With the topic after compaction; "" where nothing is."""
    allowed: set[bytes] = set()
    named: list[tuple[bytes, bytes]] = []
    for run, value in states.items():
        state = CODEC.decode_state(value)
        named += _named(run, state).items()
        allowed |= _waiting(run, state)
    for slot, value in checkpoints.items():
        named += _named(slot.partition(b"/")[0], CODEC.decode_checkpoint(value)["snapshot"]).items()
    for key, sha256 in named:
        if key not in outputs or hashlib.sha256(outputs[key]).digest() != sha256:
            return f"{key!r} is referred to, and is {outputs.get(key)!r}"
    left_over = outputs.keys() - allowed - {key for key, _ in named}
    return f"nobody refers to {left_over}" if left_over else ""
