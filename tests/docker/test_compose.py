from __future__ import annotations

import json
import shutil
import sys
import urllib.request
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from llm_orchestrator_state.local.ports import free_ports
from llm_orchestrator_state.local.process import wait_until
from tests.docker.cache import CHECKOUT, Unavailable, run
from tests.docker.health import becomes_healthy, state_of

PATIENCE_S = 120.0
WORKERS = ["worker-1", "worker-2"]
SERVICES = ["kafka", "registry", *WORKERS]


class Compose:
    """deploy/compose.yaml as a project of the tests' own, with these images and free ports."""

    def __init__(self, images: dict[str, str]) -> None:
        ports = ["KAFKA_PORT", "REGISTRY_PORT", "METRICS_PORT_1", "METRICS_PORT_2"]
        self.ports = dict(zip(ports, free_ports(len(ports)), strict=True))
        self._environment = {**images, **{name: str(port) for name, port in self.ports.items()}}
        self._project = f"test-{uuid.uuid4().hex[:12]}"
        file = str(CHECKOUT / "deploy" / "compose.yaml")
        self._command = [*compose_program(), "--project-name", self._project, "--file", file]

    def __call__(self, *words: str, given: str | None = None) -> str:
        return run(*self._command, *words, environment=self._environment, given=given)

    def command(self, *words: str, given: str | None = None) -> str:
        """One of the product's, in a worker's container."""
        return self("exec", "-T", "worker-1", "llm-orchestrator-state", *words, given=given)

    def judged(self) -> int:
        """Events, by all workers. Nothing may be different."""
        reports = [json.loads(line) for line in self.command("verify", "--json").splitlines()]
        assert not any(report["different"] for report in reports), reports
        return sum(report["events"] for report in reports)

    def containers(self) -> dict[str, str]:
        """By service; also those that have ended."""
        labels = '{{.Label "com.docker.compose.service"}} {{.ID}}'
        ours = f"label=com.docker.compose.project={self._project}"
        lines = run("docker", "ps", "--all", "--filter", ours, "--format", labels).splitlines()
        return dict(line.split() for line in lines)


def compose_program() -> list[str]:
    """Docker's own plugin, else the program of the same name."""
    try:
        run("docker", "compose", "version")
    except Unavailable:
        if not shutil.which("docker-compose"):
            pytest.skip("no Docker Compose is installed: apt-get install docker-compose")
        return ["docker-compose"]
    return ["docker", "compose"]


@pytest.fixture
def compose(kafka_image: str, registry_image: str, product_image: str) -> Iterator[Compose]:
    images = {"KAFKA_IMAGE": kafka_image, "REGISTRY_IMAGE": registry_image}
    made = Compose({**images, "LLM_ORCHESTRATOR_STATE_IMAGE": product_image})
    yield made
    made("down", "--volumes", "--timeout", "10")


def test_everything_in_it_is_checked_and_can_be_reached_from_this_machine_only(compose: Compose) -> None:
    services = yaml.safe_load(compose("config"))["services"]
    assert sorted(services) == sorted([*SERVICES, "topics"])
    for name in SERVICES:
        assert services[name]["stop_grace_period"]
        assert all(_is_on_loopback(port) for port in services[name]["ports"])
        assert "healthcheck" in services[name] or name in WORKERS  # whose image has it
    identities = {services[name]["environment"]["LLM_ORCHESTRATOR_STATE_INSTANCE_ID"] for name in WORKERS}
    assert len(identities) == len(WORKERS)


def test_it_comes_up_folds_what_is_published_and_goes_down_in_order(compose: Compose) -> None:
    compose("up", "--detach", "--no-build")
    containers = compose.containers()
    for service in SERVICES:
        assert becomes_healthy(containers[service], PATIENCE_S), compose("logs")
    sample = (CHECKOUT / "tests" / "data" / "sample.jsonl").read_text()
    delivered = compose.command("publish", "--json", "-", given=sample).splitlines()
    assert wait_until(lambda: compose.judged() == len(delivered), PATIENCE_S), compose("logs")

    runs = compose.command("list", "--json").splitlines()
    # the ids in the records are still those of the same schemas
    compose("restart", "registry")
    assert becomes_healthy(containers["registry"], PATIENCE_S), compose("logs")
    registry = f"http://127.0.0.1:{compose.ports['REGISTRY_PORT']}/apis/ccompat/v7"
    with urllib.request.urlopen(f"{registry}/subjects", timeout=PATIENCE_S) as answer:
        assert {"llm-workflows.events-value", "llm-workflows.state-value"} <= set(json.load(answer))
    # and from outside, where the addresses are others
    kafka = f"127.0.0.1:{compose.ports['KAFKA_PORT']}"
    flags = ["--bootstrap-servers", kafka, "--schema-registry-url", registry]
    assert run(sys.executable, "-m", "llm_orchestrator_state", *flags, "list", "--json").splitlines() == runs

    compose("stop")
    assert [state_of(containers[name])["ExitCode"] for name in WORKERS] == [0, 0], compose("logs")


def _is_on_loopback(port: str | dict[str, Any]) -> bool:
    """Compose 1 prints ports as text, Compose 2 as objects."""
    return (port if isinstance(port, str) else str(port.get("host_ip"))).startswith("127.0.0.1")
