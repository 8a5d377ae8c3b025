"""Other versions of our schemas, as an older or a newer program would have them, and what is written with them."""

from __future__ import annotations

import copy
import io
from typing import Any

import fastavro

from llm_orchestrator_state.wire.framing import UnknownSchema
from llm_orchestrator_state.wire.schemas import NAMESPACE, Schema, current, plain


class FakeRegistry:
    """A schema registry in memory; it counts how often it was asked."""

    def __init__(self, schemas: dict[int, Schema]) -> None:
        self.schemas = schemas
        self.asked = 0

    def schema_of(self, schema_id: int) -> Schema:
        self.asked += 1
        if schema_id not in self.schemas:
            raise UnknownSchema(f"no schema with id {schema_id}")
        return self.schemas[schema_id]

    def id_of(self, message: str, schema: Schema) -> int:
        return {"TransitionEvent": 1, "WorkflowState": 2, "Checkpoint": 3}[message]


def confluent(schema_id: int, body: bytes) -> bytes:
    return b"\0" + schema_id.to_bytes(4, "big") + body


def written(schema: Schema, datum: Any) -> bytes:
    """The datum's bytes in another version; a kind's short name is enough."""
    if "transition" in datum:
        kind, fields = datum["transition"]
        datum = {**datum, "transition": (f"{NAMESPACE}.{kind}", fields)}
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, fastavro.parse_schema(plain(copy.deepcopy(schema))), datum)
    return buffer.getvalue()


def newer_event() -> Schema:
    """With two kinds more, a field more in the envelope, a field more in a kind, and a status more."""
    schema = copy.deepcopy(current("TransitionEvent"))
    schema["fields"].insert(2, {"name": "tenant", "type": "string", "default": ""})
    kinds = schema["fields"][-1]["type"]
    _kind(kinds, "StepCompleted")["fields"].insert(1, {"name": "cost", "type": "double", "default": 0.0})
    kinds.insert(3, {"type": "record", "name": "WorkflowTeleported", "fields": []})
    kinds.append({"type": "record", "name": "StepTeleported", "fields": [{"name": "step_id", "type": "string"}]})
    _enum(schema, "WorkflowStatus")["symbols"].insert(0, "cancelled")
    return schema


def older_event() -> Schema:
    """Without heartbeats, usage, fencing and labels."""
    schema = copy.deepcopy(current("TransitionEvent"))
    schema["fields"] = [field for field in schema["fields"] if field["name"] != "fencing_token"]
    kinds = schema["fields"][-1]["type"]
    kinds[:] = [kind for kind in kinds if kind["name"] != "StepHeartbeat"]
    _without(_kind(kinds, "StepCompleted"), "usage")
    _without(_kind(kinds, "WorkflowCreated"), "labels")
    return schema


def older_state() -> Schema:
    """Without labels, and steps without usage."""
    schema = copy.deepcopy(current("WorkflowState"))
    _without(schema, "labels")
    _without(schema["fields"][-1]["type"]["values"], "usage")
    return schema


def _kind(kinds: list[Schema], name: str) -> Schema:
    return next(kind for kind in kinds if kind["name"] == name)


def _without(record: Schema, name: str) -> None:
    record["fields"] = [field for field in record["fields"] if field["name"] != name]


def _enum(schema: Schema, name: str) -> Schema:
    if isinstance(schema, dict):
        if schema.get("name") == name and schema.get("type") == "enum":
            return schema
        schema = list(schema.values())
    if isinstance(schema, list):
        return next((found for each in schema if (found := _enum(each, name))), None)
    return None
