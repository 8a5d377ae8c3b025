"""The Java programs of this directory: compiled once, run with kafka-clients and Avro from Maven."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from llm_orchestrator_state.errors import MissingProgram
from llm_orchestrator_state.wire import schemas
from tests.maven import jars_of, java_of

SOURCES = Path(__file__).with_name("java")
OLDEST_JAVA = 17
PATIENCE_S = 120.0
HISTORY = schemas.directory() / "history"
JVM = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")


class Programs:
    """Raises MissingProgram where there is no Java compiler, or Maven cannot fetch the jars."""

    def __init__(self, directory: Path) -> None:
        java = java_of(OLDEST_JAVA)
        compiler = java.home / "bin" / "javac"
        if not compiler.exists():
            raise MissingProgram(f"needs a Java compiler, and {java.home} is a runtime without javac: a JDK has one")
        self._java = java.program
        self._path = f"{jars_of(SOURCES / 'pom.xml')}/*:{directory}"
        self._run([compiler, "-Xlint:all", "-Werror", "-cp", self._path, "-d", directory, *SOURCES.glob("*.java")])

    def publish(self, bootstrap: str, topic: str, events: Iterable[Any], schema_id: int | None = None) -> None:
        """Publishes event records."""
        lines = "\n".join(json.dumps(avro_json("TransitionEvent", each)) for each in events)
        schema = HISTORY / "TransitionEvent" / f"{len(schemas.history('TransitionEvent'))}.avsc"
        self._run([*self._jvm("Publisher"), bootstrap, topic, schema, schema_id or "-"], lines)

    def read(self, bootstrap: str, *topics: str, registry: str | None = None) -> list[dict[str, Any]]:
        """Every record of the topics, its value as avro_json() has it."""
        words = [*self._jvm("Consumer"), bootstrap, HISTORY, registry or "-", *topics]
        # not splitlines(): bytes are text in that encoding, and U+0085 is the end of a line for it
        return [json.loads(line) for line in self._run(words).split("\n") if line]

    def states(self, bootstrap: str, prefix: str, registry: str | None = None) -> list[dict[str, Any]]:
        """Every run: id, version, context and outputs, with the values that are too large for its state."""
        words = [*self._jvm("States"), bootstrap, HISTORY, registry or "-", prefix]
        return [json.loads(line) for line in self._run(words).split("\n") if line]

    def _jvm(self, program: str) -> list[object]:
        return [self._java, *JVM, "-cp", self._path, program]

    def _run(self, words: list[Any], standard_input: str = "") -> str:
        ran = subprocess.run(
            list(map(str, words)), input=standard_input, capture_output=True, text=True, check=False, timeout=PATIENCE_S
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout


def avro_json(message: str, record: Any) -> Any:
    """In Avro's JSON encoding (Avro 1.12, "JSON Encoding"), which fastavro has not for records without fields."""
    schema = schemas.current(message)
    return _json(schema, record, _named(schema))


def _json(schema: Any, value: Any, named: dict[str, Any]) -> Any:
    match schema:
        case list() if value is None:
            return None
        case list():
            name = value[0] if isinstance(value, tuple) else None
            (branch,) = (each for each in schema if each != "null" and (name is None or each["name"] == name))
            return {_name(branch, named): _json(branch, value if name is None else value[1], named)}
        case {"fields": fields}:
            return {field["name"]: _json(field["type"], value[field["name"]], named) for field in fields}
        case {"values": of}:
            return {key: _json(of, each, named) for key, each in value.items()}
        case {"items": of}:
            return [_json(of, each, named) for each in value]
        case str() if schema in named:
            return _json(named[schema], value, named)
    return value.decode("latin-1") if schema == "bytes" else value


def _name(branch: Any, named: dict[str, Any]) -> str:
    name: str = branch if isinstance(branch, str) else branch.get("name", branch["type"])
    return f"{schemas.NAMESPACE}.{name}" if name in named else name


def _named(schema: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    schemas._collect(schema, found)
    return found
