from __future__ import annotations

import pytest

from tests.integration.conftest import processes, stage

__all__ = ["processes", "stage"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The soak takes as long as all the others together: it begins first, and they run beside it."""
    items.sort(key=lambda item: "soak" not in item.keywords)
