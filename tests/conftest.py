"""The real Kafka that tests run against, and names of their own on it."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from llm_orchestrator_state.errors import MissingProgram
from llm_orchestrator_state.local import container
from llm_orchestrator_state.local.broker import LocalBroker
from tests.cluster import KafkaCluster
from tests.containers import kafka_container

BOOTSTRAP_VARIABLE = "LLM_ORCHESTRATOR_STATE_TEST_BOOTSTRAP"
BROKER_VARIABLE = "LLM_ORCHESTRATOR_STATE_TEST_BROKER"
IMAGE_VARIABLE = "LLM_ORCHESTRATOR_STATE_TEST_KAFKA_IMAGE"

# no test depends on how busy its machine is
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The bootstrap address: the one given in the environment, else of a broker that lives as long as this run.

    That is a JVM, which starts soonest; a container where the environment says "docker", or where there is no Java.
    """
    given = os.environ.get(BOOTSTRAP_VARIABLE)
    if given:
        yield given
        return
    if os.environ.get(BROKER_VARIABLE) == "docker":
        with kafka_container(os.environ.get(IMAGE_VARIABLE, container.image())) as bootstrap:
            yield bootstrap
        return
    directory = tmp_path_factory.mktemp("kafka")
    try:
        cluster = KafkaCluster(directory)
    except MissingProgram:
        yield from _in_container(directory)
        return
    with cluster:
        yield cluster.bootstrap


def _in_container(directory: Path) -> Iterator[str]:
    broker = LocalBroker(directory)
    try:
        bootstrap = broker.start()
    except MissingProgram as missing:
        pytest.skip(f"{missing}; or set {BOOTSTRAP_VARIABLE}")
    yield bootstrap
    broker.stop()


@pytest.fixture
def topic_prefix() -> str:
    """No other test has it, so tests share a broker without seeing each other."""
    return f"test-{uuid.uuid4().hex[:12]}"
