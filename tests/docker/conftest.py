from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from llm_orchestrator_state.errors import MissingProgram
from tests.containers import kafka_container
from tests.docker import engine, images
from tests.docker.cache import Unavailable


@pytest.fixture(scope="session", autouse=True)
def docker_engine() -> None:
    if not engine.answers():
        pytest.skip(os.environ.get(engine.WHY_NOT, "no Docker engine answers; tests/run docker starts one"))


@pytest.fixture(scope="session")
def kafka_image(docker_engine: None) -> str:
    return _image(images.kafka)


@pytest.fixture(scope="session")
def registry_image(docker_engine: None) -> str:
    return _image(images.registry)


@pytest.fixture(scope="session")
def product_image(docker_engine: None) -> str:
    return _image(images.product)


@pytest.fixture(scope="session")
def kafka(kafka_image: str) -> Iterator[str]:
    """The bootstrap address of a broker in a container."""
    with kafka_container(kafka_image) as bootstrap:
        yield bootstrap


def _image(make: Callable[[], str]) -> str:
    try:
        return make()
    except (Unavailable, MissingProgram) as why:
        pytest.skip(str(why))
