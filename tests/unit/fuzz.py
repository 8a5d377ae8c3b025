"""Damaged input made from good: the corpus, the damage, and the bounds that whatever reads it must keep.

LLM_ORCHESTRATOR_STATE_TEST_EXAMPLES=20000 python -m pytest tests/unit -k fuzz   is the long run.
"""

from __future__ import annotations

import json
import os
import sys
import tracemalloc
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from llm_orchestrator_state.wire.avro import write_long
from tests.unit.golden import MESSAGES

T = TypeVar("T")

EXAMPLES = int(os.environ.get("LLM_ORCHESTRATOR_STATE_TEST_EXAMPLES", "60"))
fuzzed = settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))

CALLS_PER_BYTE, MEMORY_PER_BYTE = 10, 150
"""What reading takes at most. The worst there is, a map of empty texts, has a call or two for each byte, and a dict's
entry with its key for each two or three."""

_lines = [json.loads(line) for line in MESSAGES.read_text().splitlines()]
_named = {line["name"]: bytes.fromhex(line["hex"]) for line in _lines}
STATES = [message for name, message in _named.items() if name.startswith("WorkflowState") and "Started" not in name]
CHECKPOINTS = [_named["Checkpoint"]]
EVENTS = [message for message in _named.values() if message not in (*STATES, *CHECKPOINTS)]

HUGE = [2**60, -(2**60), 2**62, -(2**63), 2**63 - 1, 2**31, -(2**31), -1, 1, 0, 127, 4096]
_ODD = [
    *map(write_long, HUGE),
    *(write_long(-(2**60)) + write_long(size) for size in HUGE),
    b"\xff" * 9, b"\xff" * 40, b"\0" * 30, b"\x80" * 12 + b"\0", b"\xc3\x01", b"\xed\xa0\x80", b"\xf4\x90\x80\x80",
    b"[" * 300, b'{"a":' * 200, b"1e999999", b"-0", b"9" * 5000, b'"\\ud800"', b"\x1b[31m", "\u202e\U000e0001".encode(), b"\\",
]  # fmt: skip


def _flip(data: bytes, at: int, argument: int) -> bytes:
    return data[:at] + bytes([data[at] ^ (argument % 255 + 1)]) + data[at + 1 :] if data else b""


def _drop(data: bytes, at: int, argument: int) -> bytes:
    return data[:at] + data[at + 1 + argument % 40 :]


def _put(data: bytes, at: int, argument: int) -> bytes:
    return data[:at] + _ODD[argument % len(_ODD)] + data[at:]


def _put_instead(data: bytes, at: int, argument: int) -> bytes:
    return data[:at] + _ODD[argument % len(_ODD)] + data[at + 1 :]


def _cut(data: bytes, at: int, _argument: int) -> bytes:
    return data[:at]


def _repeat(data: bytes, at: int, argument: int) -> bytes:
    return data[:at] + data[at : at + 1 + argument % 60] * (1 + argument % 500) + data[at:]


_EDITS = st.lists(
    st.tuples(
        st.sampled_from([_flip, _flip, _drop, _put, _put_instead, _cut, _repeat]),
        st.integers(0, 2**16),
        st.integers(0, 2**16),
    ),
    max_size=5,
)


def _edited(data: bytes, edits: list[tuple[Callable[[bytes, int, int], bytes], int, int]], tail: bytes) -> bytes:
    for edit, at, argument in edits:
        data = edit(data, at % (len(data) or 1), argument)
    return data + tail


def damaged(corpus: list[bytes]) -> st.SearchStrategy[bytes]:
    """One of the corpus after a few edits, with a piece of another behind it now and then; or any bytes."""
    tails = st.just(b"") | st.builds(
        lambda data, at: data[at % len(data) :], st.sampled_from(corpus), st.integers(0, 2**16)
    )
    return st.builds(_edited, st.sampled_from(corpus), _EDITS, tails) | st.binary(max_size=80)


def bounded(length: int, action: Callable[[], T]) -> T:
    """The action's result; AssertionError where it does more work, or takes more memory, than input of that length may.

    Work is counted in calls of functions, which is the same on every machine.
    """
    calls = 0

    def count(_frame: FrameType, what: str, _argument: Any) -> None:
        nonlocal calls
        calls += what in ("call", "c_call")

    tracemalloc.start()
    sys.setprofile(count)
    try:
        return action()
    finally:
        sys.setprofile(None)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert calls <= 3000 + CALLS_PER_BYTE * length, f"{calls} calls for {length} bytes"
        assert peak <= 3_000_000 + MEMORY_PER_BYTE * length, f"{peak} bytes of memory for {length}"
