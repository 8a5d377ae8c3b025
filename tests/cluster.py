"""Real Kafka brokers for tests: one or several, which can be killed, frozen and started again.

with KafkaCluster(tmp_path, size=3) as kafka:
    kafka.bootstrap                 # "127.0.0.1:p1,127.0.0.1:p2,127.0.0.1:p3"; replication factor 3, min.isr 2
    kafka.kill(1); kafka.start(1)   # SIGKILL; the same port and data again
    kafka.pause(2); kafka.resume(2) # a broker that hangs
"""

from __future__ import annotations

import dataclasses
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from confluent_kafka.admin import AdminClient

from llm_orchestrator_state.local import class_data
from llm_orchestrator_state.local.jars import kafka_jars
from llm_orchestrator_state.local.java import find_java
from llm_orchestrator_state.local.node import Node, kafka_uuid
from llm_orchestrator_state.local.ports import LOOPBACK, free_ports
from llm_orchestrator_state.local.process import Process, wait_until

# The pipe on the shell's standard input closes when the test run ends, however it ends: then the broker goes too.
DIE_WITH_PARENT = '"$@" </dev/null >>"$0" 2>&1 & echo $!; cat >/dev/null; kill -9 $! 2>/dev/null; wait'


class _Running(NamedTuple):
    process: Process
    shell: subprocess.Popen[bytes]


class KafkaCluster:
    """Brokers that live in one directory and die with the test run.

    overrides: broker properties by their Kafka names, for all nodes.
    listeners: protocols of more listeners by their names; bootstrap_of() tells where they are.
    """

    def __init__(
        self,
        directory: Path,
        size: int = 1,
        heap: str = "256m",
        listeners: Mapping[str, str] | None = None,
        **overrides: object,
    ) -> None:
        self._java = find_java()
        self._jars = kafka_jars(self._java)
        self._cluster_id = kafka_uuid()
        ports = free_ports(2 * size)
        self._nodes = [
            Node(directory / f"node{n}", n, ports[:size], ports[size:], overrides, heap) for n in range(size)
        ]
        self._more = {name: free_ports(size) for name in listeners or {}}
        self._nodes = [self._with_listeners(node, listeners or {}) for node in self._nodes]
        self._running: dict[int, _Running] = {}

    def _with_listeners(self, node: Node, protocols: Mapping[str, str]) -> Node:
        own = node.properties()
        where = "".join(f",{name}://{self._address(name, node.number)}" for name in protocols)
        told = "".join(f",{name}://{self._advertised(name, node.number)}" for name in protocols)
        kinds = "".join(f",{name}:{protocol}" for name, protocol in protocols.items())
        more = {
            "listeners": f"{own['listeners']}{where}",
            "advertised.listeners": f"{own['advertised.listeners']}{told}",
            "listener.security.protocol.map": f"{own['listener.security.protocol.map']}{kinds}",
        }
        return dataclasses.replace(node, overrides={**node.overrides, **more})

    def _address(self, listener: str, number: int) -> str:
        return f"{LOOPBACK}:{self._more[listener][number]}"

    def _advertised(self, listener: str, number: int) -> str:
        """Where clients of a listener are told to come."""
        return self._address(listener, number)

    def bootstrap_of(self, listener: str) -> str:
        return ",".join(self._address(listener, node.number) for node in self._nodes)

    @property
    def bootstrap(self) -> str:
        return ",".join(node.address for node in self._nodes)

    def start(self, *numbers: int) -> None:
        """Start these, and return when all of them serve."""
        for number in numbers:
            self._launch(self._nodes[number])
        for number in numbers:
            self._nodes[number].wait_ready(self._running[number].process)

    def kill(self, number: int) -> None:
        running = self._running.pop(number)
        running.process.kill()
        running.shell.communicate()

    def pause(self, number: int) -> None:
        self._running[number].process.send(signal.SIGSTOP)

    def resume(self, number: int) -> None:
        self._running[number].process.send(signal.SIGCONT)

    def wait_in_sync(self, within_s: float = 60.0) -> None:
        """Until every replica of every partition is in sync."""
        client = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 2})

        def in_sync() -> bool:
            topics = client.list_topics(timeout=10).topics.values()
            return all(len(p.isrs) == len(p.replicas) for topic in topics for p in topic.partitions.values())

        assert wait_until(in_sync, within_s), "replicas are out of sync"

    def log(self, number: int) -> str:
        return self._nodes[number].log.read_text()

    def _launch(self, node: Node) -> None:
        node.prepare(self._cluster_id)
        options = class_data.options(self._java, class_data.archive(self._java, self._jars))
        command: Sequence[str] = node.command(self._java.program, self._jars, *options)
        shell = subprocess.Popen(
            ["sh", "-c", DIE_WITH_PARENT, str(node.log), *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        assert shell.stdout
        self._running[node.number] = _Running(Process.of(int(shell.stdout.readline())), shell)

    def __enter__(self) -> Self:
        try:
            self.start(*range(len(self._nodes)))
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        # SIGKILL: the data is thrown away, and an orderly stop of a quorum takes seconds.
        for number in list(self._running):
            self.kill(number)
