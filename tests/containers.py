"""A real Kafka broker in a container, through testcontainers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from llm_orchestrator_state.local.node import READY, READY_PATIENCE_SECONDS, Node
from llm_orchestrator_state.local.ports import free_ports

DATA = "/var/lib/kafka/data"
"""The volume of the image apache/kafka."""


@contextmanager
def kafka_container(image: str) -> Iterator[str]:
    """Its bootstrap address. The properties are the local broker's, in the variables that apache/kafka reads.

    It has the host's network, as the product's own container has: the address that it tells its clients is on loopback.
    """
    from testcontainers.core.container import DockerContainer
    from testcontainers.core.wait_strategies import LogMessageWaitStrategy

    port, controller_port = free_ports(2)
    node = Node(Path("/"), 0, [port], [controller_port], {"log.dirs": DATA})
    variables = {f"KAFKA_{name.upper().replace('.', '_')}": str(value) for name, value in node.properties().items()}
    ready = LogMessageWaitStrategy(re.escape(READY)).with_startup_timeout(int(READY_PATIENCE_SECONDS))
    container = DockerContainer(image, env=variables, network_mode="host")
    with container.waiting_for(ready.with_poll_interval(0.1)):
        yield node.address
