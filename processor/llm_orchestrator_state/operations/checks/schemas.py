"""The schemas: shipped with the package, and, where there is a registry, registered in it."""

from __future__ import annotations

from collections.abc import Iterator

from ...errors import StateError, TopicMismatch
from ...kafka.registry import ConfluentRegistry
from ...kafka.subjects import subject_problems
from ...wire.schemas import MESSAGES, history
from ..deployment import Deployment
from ..findings import Finding, failed, ok, warning

CHECK = "schemas"


def schemas(deployment: Deployment) -> Iterator[Finding]:
    """Nothing is registered here. A registry that is away is no broker that is away, so its failure ends here."""
    try:
        registry = deployment.registry()
        yield from _shipped() if registry is None else _registered(registry)
    except StateError as error:
        yield failed(CHECK, error)


def _shipped() -> Iterator[Finding]:
    versions = ", ".join(f"{name} ({len(history(name))})" for name in MESSAGES)
    yield ok(CHECK, f"no registry is set; shipped, with their number of versions: {versions}")


def _registered(registry: ConfluentRegistry) -> Iterator[Finding]:
    problems = list(subject_problems(registry))
    for problem in problems:
        found = failed(CHECK, TopicMismatch(problem))
        # what may register does so when it first writes
        yield warning(CHECK, found.found, found.advice or "") if registry.mode == "register" else found
    if not problems:
        yield ok(CHECK, f"the registry {registry.url} has them all, with their compatibility levels")
