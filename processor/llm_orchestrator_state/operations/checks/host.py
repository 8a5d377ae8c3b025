"""This host and this program: versions, environment variables, open files."""

from __future__ import annotations

import platform
import resource
from collections.abc import Iterator
from importlib.metadata import version

import confluent_kafka

from ...settings import ENVIRONMENT_PREFIX, PROGRAM
from ...settings_sources import misspelled_variables
from ...store.rocks_options import MAX_OPEN_FILES
from ..deployment import Deployment
from ..findings import Finding, ok, warning

FILES_OF_A_STORE = MAX_OPEN_FILES + 16
"""Its table files, and its logs, manifest, lock and directory."""

OTHER_FILES = 256
"""Connections to the brokers, the log, libraries."""


def program(_: Deployment) -> Iterator[Finding]:
    library = confluent_kafka.libversion()[0]
    binding = version("confluent-kafka")
    found = (
        f"{PROGRAM} {version(PROGRAM)}, Python {platform.python_version()}, librdkafka {library} (confluent-kafka "
        f"{binding}), rocksdict {version('rocksdict')}"
    )
    if _minor(library) < _minor(binding):
        yield warning(
            "program", f"{found}: librdkafka is older than its binding", "install confluent-kafka from its wheel"
        )
    else:
        yield ok("program", found)


def _minor(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:2] if part.isdigit())


def environment(deployment: Deployment) -> Iterator[Finding]:
    """Names only: values may be passwords."""
    ours = sorted(name for name in deployment.environ if name.startswith(ENVIRONMENT_PREFIX))
    misspelled = misspelled_variables(deployment.environ)
    for name, meant in misspelled:
        yield warning(
            "environment", f"variable {name} is no setting and has no effect", f"call it {meant}, or remove it"
        )
    if not misspelled:
        yield ok("environment", f"variables of ours: {', '.join(ours) or 'none'}")


def open_files(deployment: Deployment) -> Iterator[Finding]:
    """A worker may come to have all partitions, so it must be able to open all stores."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    known = deployment.format
    if known is None:
        yield Finding(
            "open files",
            "skipped",
            f"this shell allows {_limit(soft)} open files; how many are needed depends on the topics",
        )
        return
    needed = files_needed(known.partitions)
    found = (
        f"this shell allows {_limit(soft)} open files; {known.partitions} partitions in one worker may need {needed}"
    )
    if soft != resource.RLIM_INFINITY and soft < needed:
        yield warning(
            "open files", found, f"raise the limit of workers: ulimit -n {needed}, or LimitNOFILE={needed} in systemd"
        )
    else:
        yield ok("open files", found)


def files_needed(partitions: int) -> int:
    return partitions * FILES_OF_A_STORE + OTHER_FILES


def _limit(soft: int) -> str:
    return "any number of" if soft == resource.RLIM_INFINITY else str(soft)
