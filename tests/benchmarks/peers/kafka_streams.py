"""Kafka Streams: the program of java/, compiled once with the jars that Maven brings, and kept in the user's cache."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from llm_orchestrator_state.errors import MissingProgram
from llm_orchestrator_state.kafka.format import CheckpointPolicy
from llm_orchestrator_state.wire import schemas
from tests.benchmarks.peers.conditions import KAFKA_STREAMS, Conditions, environment
from tests.benchmarks.program import Program
from tests.benchmarks.system import Topics
from tests.maven import jars_of, java_of, kept

SOURCES = Path(__file__).with_name("java")
OLDEST_JAVA = 17
HEAP = "-Xmx2g"
JVM = (
    HEAP,
    # with 2 cores 10 % faster than the default, G1, and after its warm-up 30 %
    "-XX:+UseParallelGC",
    # states, which have no union of records, are read and written by generated code: 15 % less CPU on B, nothing on A
    "-Dorg.apache.avro.specific.use_custom_coders=true",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)


class KafkaStreams:
    """Raises MissingProgram where there is no JDK, or Maven cannot fetch the jars."""

    name = KAFKA_STREAMS
    checkpoints: CheckpointPolicy = "off"

    def __init__(self) -> None:
        java = java_of(OLDEST_JAVA)
        compiler = java.home / "bin" / "javac"
        if not compiler.exists():
            raise MissingProgram(
                f"Kafka Streams' program is compiled here, and {java.home} has no javac: a JDK has one"
            )
        self._java = java.program
        self._jars = f"{jars_of(SOURCES / 'pom.xml')}/*"
        # without logical types instants are longs, as in the product's own hot path; it refers to all other records
        schema = json.dumps(schemas.plain(schemas.current("TransitionEvent")))
        made_of = [compiler, self._jars, schema, *(path.read_text() for path in sorted(SOURCES.glob("*.java")))]
        key = "\0".join(map(str, made_of)).encode()
        self._classes = kept("kafka-streams", key, lambda made: self._compile(compiler, schema, made))

    def _compile(self, compiler: Path, schema: str, classes: Path) -> None:
        classes.mkdir()
        source, generated = classes / "TransitionEvent.avsc", classes / "generated"
        source.write_text(schema)
        _run([self._java, "-cp", self._jars, SOURCES / "Generate.java", source, generated])
        written = [*generated.rglob("*.java"), *(path for path in SOURCES.glob("*.java") if path.stem != "Generate")]
        _run([compiler, "-cp", self._jars, "-d", classes, *written])

    def programs(self, made: Topics, group: str, directory: Path, conditions: Conditions) -> list[Program]:
        return [
            Program(
                "Peer",
                environment=environment(made, group, directory, conditions),
                log=made.system.directory / "kafka-streams.log",
                launcher=[str(self._java), *JVM, "-cp", f"{self._classes}:{self._jars}"],
            )
        ]

    def means(self, conditions: Conditions) -> str:
        threads = "one thread" if conditions.workers == 1 else f"{conditions.workers} threads"
        return f"{threads}, record cache {conditions.cache_bytes >> 20} MiB, heap {HEAP[4:]}, parallel collector"


def _run(words: list[object]) -> None:
    ran = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
