from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster import KafkaCluster
from tests.faults.proxied import ProxiedCluster
from tests.integration.conftest import processes, stage

__all__ = ["processes", "stage"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The soak takes as long as all the others together: it begins first, and they run beside it."""
    items.sort(key=lambda item: "soak" not in item.keywords)


@pytest.fixture(scope="session")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProxiedCluster]:
    """One broker behind a proxy."""
    with ProxiedCluster(tmp_path_factory.mktemp("proxied")) as kafka:
        yield kafka


@pytest.fixture(scope="session")
def three_brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    """Whoever kills or freezes one brings it back."""
    with KafkaCluster(tmp_path_factory.mktemp("three"), size=3) as kafka:
        yield kafka
