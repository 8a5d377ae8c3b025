"""Avro single-object encoding of events and states, with fastavro; and what the programs of this directory are told."""

from __future__ import annotations

import io
import json
import os
import time
from pathlib import Path
from typing import Any, cast

from fastavro import parse_schema, schemaless_reader, schemaless_writer
from fastavro.schema import fingerprint, to_parsing_canonical_form

HEADER_BYTES = 10

_told = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what the frameworks print is no part of it: Faust has a banner


def given(name: str) -> str:
    return os.environ[f"PEER_{name}"]


def say_began() -> None:
    """That the first event is about to be folded."""
    print(json.dumps({"what": "began", "at": time.perf_counter()}), file=_told, flush=True)


def _schema(name: str) -> Any:
    return parse_schema(json.loads((Path(given("SCHEMAS")) / f"{name}.avsc").read_text()))


def _header(schema: Any) -> bytes:
    return b"\xc3\x01" + bytes.fromhex(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))


_EVENT, _STATE = _schema("TransitionEvent"), _schema("WorkflowState")
_STATE_HEADER = _header(_STATE)


def decode_event(message: bytes) -> dict[str, Any]:
    """``transition`` is the kind's name with its namespace, and its fields."""
    data = io.BytesIO(message)
    data.seek(HEADER_BYTES)
    return cast(dict[str, Any], schemaless_reader(data, _EVENT, None, return_record_name=True))


def encode_state(state: dict[str, Any]) -> bytes:
    """Of a state as fold.py has it: the window is hexadecimal text there, for the sake of JSON."""
    data = io.BytesIO()
    data.write(_STATE_HEADER)
    schemaless_writer(data, _STATE, {**state, "recent_event_ids": bytes.fromhex(state["recent_event_ids"])})
    return data.getvalue()
