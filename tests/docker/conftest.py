from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from llm_orchestrator_state.errors import MissingProgram
from tests.conftest import BOOTSTRAP_VARIABLE, BROKER_VARIABLE, IMAGE_VARIABLE
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


@pytest.fixture(scope="session", autouse=True)
def kafka_in_a_container(kafka_image: str) -> Iterator[None]:
    """What ``kafka`` of the other tests' conftest.py is here: its option is the one that these tests take."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(BROKER_VARIABLE, "docker")
        patch.setenv(IMAGE_VARIABLE, kafka_image)
        patch.delenv(BOOTSTRAP_VARIABLE, raising=False)
        yield


def _image(make: Callable[[], str]) -> str:
    try:
        return make()
    except (Unavailable, MissingProgram) as why:
        pytest.skip(str(why))
