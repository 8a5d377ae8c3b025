from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from llm_orchestrator_state.local.container import image

CHECKOUT = Path(__file__).parents[2]
DEPLOY = CHECKOUT / "deploy"


@pytest.fixture
def declared() -> dict[str, Any]:
    return tomllib.loads((CHECKOUT / "pyproject.toml").read_text())


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[^A-Za-z0-9_.-]", name)[0]).lower()


def test_compose_runs_the_kafka_that_the_local_broker_is() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    assert services["kafka"]["image"] == f"${{KAFKA_IMAGE:-{image()}}}"


def test_the_image_runs_as_a_user_without_rights_and_compose_has_no_passwords() -> None:
    last_stage = (DEPLOY / "Dockerfile").read_text().rpartition("\nFROM ")[2]
    [user] = re.findall(r"^USER (\d+):(\d+)$", last_stage, re.MULTILINE)
    assert "0" not in user
    composed = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    assert "secrets" not in composed
    for service in composed["services"].values():
        assert not service.get("privileged")
        assert service.get("user", "") not in {"root", "0", "0:0"}
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        given = service.get("environment", {})
        assert not [name for name in given if re.search("PASSWORD|SECRET|TOKEN|USER_INFO|PROPERTIES", name)]


def test_the_build_context_has_what_the_wheel_takes_from_outside_the_package(declared: dict[str, Any]) -> None:
    allowed = {line[1:] for line in (CHECKOUT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    taken = declared["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert {"pyproject.toml", "README.md", "LICENSE", "processor", *taken} <= allowed


def test_the_version_in_the_image_of_all_that_the_package_needs_is_pinned(declared: dict[str, Any]) -> None:
    project = declared["project"]
    needed = [*declared["build-system"]["requires"], *project["dependencies"]]
    needed += project["optional-dependencies"]["registry"]
    lines = (DEPLOY / "constraints.txt").read_text().splitlines()
    pinned = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert {normal(each) for each in needed} <= set(pinned)
