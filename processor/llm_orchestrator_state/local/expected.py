"""The states that a file of events must end in, where somebody has written them beside it."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from ..model.instants import parse_instant

INSTANTS = {"started_at", "updated_at", "completed_at"}


def expected_states(events: Path) -> tuple[Path, dict[str, Any]] | None:
    """The file, and its states by run: events.expected.json or .json.gz for events.jsonl or events.jsonl.gz."""
    stem = events.name.removesuffix(".gz").removesuffix(".jsonl")
    for suffix in (".expected.json", ".expected.json.gz"):
        file = events.with_name(stem + suffix)
        if file.exists():
            content = file.read_bytes()
            text = gzip.decompress(content) if suffix.endswith(".gz") else content
            return file, msgspec.json.decode(text)["runs"]
    return None


def differences(expected: Mapping[str, Any], states: Mapping[str, Any]) -> Iterator[str]:
    """One line for each run that is missing, too many, or different in a field which the expected state has."""
    for run in expected.keys() - states.keys():
        yield f"run {run} is missing"
    for run in states.keys() - expected.keys():
        yield f"run {run} is not expected"
    for run in expected.keys() & states.keys():
        yield from (f"run {run}: {line}" for line in _in_object(expected[run], states[run]))


def _in_object(expected: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    for name, value in expected.items():
        if name == "steps":
            yield from _in_steps(value, found["steps"])
        elif _comparable(name, found.get(name)) != _comparable(name, value):
            yield f"{name} is {found.get(name)!r}, expected {value!r}"


def _in_steps(expected: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[str]:
    if list(expected) != list(found):
        yield f"its steps are {list(found)}, expected {list(expected)}"
        return
    for step, value in expected.items():
        yield from (f"step {step}: {line}" for line in _in_object(value, found[step]))


def _comparable(name: str, value: Any) -> Any:
    return parse_instant(value, name) if name in INSTANTS and isinstance(value, str) else value
