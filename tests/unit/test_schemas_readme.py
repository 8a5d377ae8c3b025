"""What schemas/README.md tells authors in other languages is what goes over the wire."""

from __future__ import annotations

from typing import Any

import fastavro
import pytest

from llm_orchestrator_state.kafka.partitioner import partition_of
from llm_orchestrator_state.kafka.properties import MAX_EVENT_BYTES
from llm_orchestrator_state.kafka.registry import ConfluentRegistry
from llm_orchestrator_state.kafka.subjects import LEVELS
from llm_orchestrator_state.kafka.topics import TopicSet
from llm_orchestrator_state.model.limits import KEPT_CHECKPOINTS, MAX_JSON_DEPTH, WINDOW
from llm_orchestrator_state.wire import schemas
from llm_orchestrator_state.wire.codec import Codec
from llm_orchestrator_state.wire.jsonlines import parse_line
from tests.readme import CHECKOUT, blocks, section, tables
from tests.unit.records import an_id
from tests.unit.versions import FakeRegistry

README = CHECKOUT / "schemas" / "README.md"
EXAMPLE = "An event, byte by byte"


def program(name: str) -> dict[str, Any]:
    """What the section's program defines; its own assertions hold."""
    (block,) = (each for each in blocks(section(name, README)) if each.language == "python")
    defined: dict[str, Any] = {}
    exec(block.text, defined)
    return defined


def example() -> Any:
    (line,) = blocks(section(EXAMPLE, README))
    return parse_line(line.text)


def rows() -> list[tuple[bytes, str]]:
    (table,) = tables(EXAMPLE, README)
    return [(bytes.fromhex(hexadecimal), what) for hexadecimal, what in table]


def test_the_example_event_is_encoded_as_it_says() -> None:
    message = b"".join(part for part, _ in rows())
    assert message == Codec().encode_event(example())
    assert Codec().decode_event(message) == example()
    assert f"{len(message)} bytes" in section(EXAMPLE, README)


def test_with_a_registry_only_the_first_row_is_another() -> None:
    (_, first), *_ = rows()
    told = bytes.fromhex(first.rpartition(": ")[2])
    whole = b"".join(part for part, _ in rows())
    registry = FakeRegistry({7: schemas.current("TransitionEvent")})
    assert Codec(registry).decode_event(told + whole[10:]) == example()


def test_the_parts_of_the_example_are_the_events_fields_in_order() -> None:
    named = [what.partition(":")[0] for _, what in rows()]
    fields = [field["name"] for field in schemas.current("TransitionEvent")["fields"]]
    kinds = schemas.current("TransitionEvent")["fields"][-1]["type"]
    ((number, kind),) = [(n, kind) for n, kind in enumerate(kinds) if kind["name"] == "StepCompleted"]
    assert named[1:-2] == [*fields, *(field["name"] for field in kind["fields"])]
    assert f"transition: branch {number}, StepCompleted" in [what for _, what in rows()]


def test_the_fingerprint_is_computed_as_it_says() -> None:
    fingerprint = program("Headers")["fingerprint"]
    for message in schemas.MESSAGES:
        canonical = fastavro.schema.to_parsing_canonical_form(fastavro.parse_schema(schemas.history(message)[-1]))
        assert fingerprint(canonical) == schemas.fingerprint(schemas.current(message))


@pytest.mark.parametrize("length", [0, 1, 2, 3, 4, 36, 37])
def test_the_partition_is_computed_as_it_says(length: int) -> None:
    told = program("Publishing")["partition_of"]
    for _ in range(20):
        key = (an_id() * 2).encode()[-length:] if length else b""
        assert told(key, 12) == partition_of(key, 12)


def test_the_subjects_and_their_levels_are_those_of_the_code() -> None:
    (table,) = tables("Schema registry", README)
    subjects = ConfluentRegistry("mock://registry", TopicSet("PREFIX")).subjects
    assert table == [[subjects[message], level] for message, level in LEVELS.items()]


def test_the_numbers_in_the_text_are_those_of_the_code() -> None:
    assert f"Largest event:** {MAX_EVENT_BYTES:,} bytes" in section("Publishing", README)
    assert f"its last {WINDOW} ids" in section("Publishing", README)
    assert f"nested at most {MAX_JSON_DEPTH}\n" in section("Values", README)
    assert f"<n mod {KEPT_CHECKPOINTS}>" in section("Reading", README)


def test_every_file_that_it_links_to_is_there() -> None:
    (files,) = tables("Schemas", README)
    named = {row[0].partition("](")[2].rstrip(")") for row in files}
    there = {path.name for path in README.parent.iterdir()} - {README.name}
    assert named == there
