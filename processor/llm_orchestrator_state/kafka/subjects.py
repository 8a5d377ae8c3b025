"""The subjects that a schema registry has for a topic set: their schemas and their compatibility levels."""

from __future__ import annotations

from collections.abc import Iterator

from ..wire import schemas
from .registry import ConfluentRegistry

LEVELS = {
    # new kinds of events: whoever reads them is updated first
    "TransitionEvent": "BACKWARD_TRANSITIVE",
    # read by programs that are older than the processor, and by newer ones
    "WorkflowState": "FULL_TRANSITIVE",
    "Checkpoint": "FULL_TRANSITIVE",
}


def make_subjects(registry: ConfluentRegistry) -> None:
    """Set the level of each subject that has none of its own, and register what is missing. Raises as id_of() does.

    A level that somebody chose is left for subject_problems() to tell.
    """
    everybodys = registry.level(None)
    for message, level in LEVELS.items():
        own = registry.level(message)
        if own in {None, everybodys} and own != level:
            registry.set_level(message, level)
        registry.id_of(message, schemas.current(message))


def subject_problems(registry: ConfluentRegistry) -> Iterator[str]:
    """What is not as it must be, one line each, with what repairs it. Raises errors.Connection."""
    for message, needed in LEVELS.items():
        if registry.registered(message, schemas.current(message)) is None:
            yield registry.missing(message)
            continue
        level = registry.level(message) or registry.level(None)
        if level != needed:
            yield (
                f"{registry.subjects[message]}: found compatibility {level}, needed {needed}; "
                f"repair: {_set_command(registry, registry.subjects[message], needed)}"
            )


def _set_command(registry: ConfluentRegistry, subject: str, level: str) -> str:
    address = registry.url.partition(",")[0].rstrip("/")
    return (
        "curl -X PUT -H 'Content-Type: application/vnd.schemaregistry.v1+json' "
        f"""-d '{{"compatibility": "{level}"}}' {address}/config/{subject}"""
    )
