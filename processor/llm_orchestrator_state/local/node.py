"""One Kafka broker in KRaft mode, its own controller, as a plain JVM on loopback."""

from __future__ import annotations

import base64
import shutil
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import Connection
from .ports import LOOPBACK
from .process import Process, wait_until

READY = "Kafka Server started"
READY_PATIENCE_SECONDS = 90.0  # 1 to 3 s where nothing else runs; a loaded CI machine may take its time

# Compiling with C1 only and collecting serially starts in half the time and takes a third of the memory.
JVM = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")

LOG4J = f"""\
Configuration:
  status: WARN
  Appenders:
    Console:
      name: STDOUT
      PatternLayout: {{pattern: "[%d] %p %m (%c)%n"}}
  Loggers:
    Root:
      level: WARN
      AppenderRef: [{{ref: STDOUT}}]
    # "{READY}" is how it is known to be ready
    Logger:
      - {{name: kafka.server.KafkaRaftServer, level: INFO}}
"""


@dataclass(frozen=True)
class Node:
    """One node of a quorum in which every node is both broker and controller.

    directory: of this node alone; holds its data, its properties and its log.
    ports, controller_ports: of all the nodes, this one's at its number.
    overrides: broker properties by their Kafka names.
    """

    directory: Path
    number: int
    ports: Sequence[int]
    controller_ports: Sequence[int]
    overrides: Mapping[str, object] = field(default_factory=dict)
    heap: str = "256m"

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.ports[self.number]}"

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def temporary(self) -> Path:
        """Where the JVM unpacks native libraries (lz4, zstd): they would pile up in the system's, for it never removes them."""
        return self.directory / "tmp"

    @property
    def log(self) -> Path:
        return self.directory / "broker.log"

    def properties(self) -> dict[str, object]:
        controllers = [f"{LOOPBACK}:{port}" for port in self.controller_ports]
        replicas = min(3, len(self.ports))
        in_sync = max(1, replicas - 1)
        return {
            "process.roles": "broker,controller",
            "node.id": self.number,
            "controller.quorum.voters": ",".join(f"{n}@{address}" for n, address in enumerate(controllers)),
            "controller.listener.names": "CONTROLLER",
            "listeners": f"PLAINTEXT://{self.address},CONTROLLER://{controllers[self.number]}",
            "advertised.listeners": f"PLAINTEXT://{self.address}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": self.data,
            "auto.create.topics.enable": "false",
            "default.replication.factor": replicas,
            "min.insync.replicas": in_sync,
            # Few internal partitions: each costs files and start-up time.
            "offsets.topic.num.partitions": 4,
            "offsets.topic.replication.factor": replicas,
            "transaction.state.log.num.partitions": 4,
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": in_sync,
            "share.coordinator.state.topic.num.partitions": 4,
            "share.coordinator.state.topic.replication.factor": replicas,
            "share.coordinator.state.topic.min.isr": in_sync,
            # The first worker need not wait three seconds for others.
            "group.initial.rebalance.delay.ms": 0,
            # A dead broker is noticed after 3 s instead of 9.
            "broker.session.timeout.ms": 3000,
            "broker.heartbeat.interval.ms": 500,
            # Topics whose messages hold a whole state (8 MiB and its wrappings) must replicate in one piece.
            "message.max.bytes": 10 << 20,
            "replica.fetch.max.bytes": 10 << 20,
            "num.network.threads": 2,
            "num.io.threads": 4,
            "log.cleaner.dedupe.buffer.size": 16 << 20,
            **self.overrides,
        }

    def prepare(self, cluster_id: str) -> None:
        """Write what the broker reads, and put the log of its last life aside.

        The cluster's id is for a node without data; ``kafka-storage format`` would write it too, and start a JVM for it.
        """
        self.data.mkdir(parents=True, exist_ok=True)
        self.clean()
        self.temporary.mkdir()
        if self.log.exists():
            self.log.replace(self.log.with_name("broker.log.1"))
        (self.directory / "log4j2.yaml").write_text(LOG4J)
        lines = [f"{name}={value}\n" for name, value in self.properties().items()]
        (self.directory / "server.properties").write_text("".join(lines))
        meta = self.data / "meta.properties"
        if not meta.exists():
            identity = {"version": 1, "cluster.id": cluster_id, "node.id": self.number, "directory.id": kafka_uuid()}
            meta.write_text("".join(f"{name}={value}\n" for name, value in identity.items()))

    def clean(self) -> None:
        """Remove what a JVM that runs no more has left."""
        if self.temporary.exists():
            shutil.rmtree(self.temporary)

    def command(self, java: Path, jars: Path, *options: str) -> list[str]:
        logging = f"-Dlog4j2.configurationFile=file:{self.directory}/log4j2.yaml"
        places = [f"-Djava.io.tmpdir={self.temporary}", logging]
        broker = ["-cp", f"{jars}/*", *places, "kafka.Kafka", str(self.directory / "server.properties")]
        return [str(java), f"-Xmx{self.heap}", *JVM, *options, *broker]

    def wait_ready(self, process: Process) -> None:
        """Raises Connection with what the broker said last, when it ended or took too long."""
        wait_until(lambda: self._is_ready() or not process.alive(), READY_PATIENCE_SECONDS)
        if not self._is_ready():
            ending = "is not ready" if process.alive() else "did not start"
            raise Connection(f"the Kafka broker {ending}: {self._last_words()} (its log: {self.log})")

    def _is_ready(self) -> bool:
        return self.log.exists() and READY in self.log.read_text(errors="replace")

    def _last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        complaints = [line for line in lines if " ERROR " in line or " FATAL " in line or line.startswith("Error")]
        return (complaints or lines or ["it said nothing"])[-1]


def kafka_uuid() -> str:
    """A random id in Kafka's own form: base64url without padding."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
