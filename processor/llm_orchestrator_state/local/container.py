"""The broker in a container, for machines that have Docker but no Java or no Maven.

The image is used for its Java and its jars only. Properties, data and log are the same files as without a container,
so the one way can take over what the other has left.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
import subprocess
from pathlib import Path

from ..errors import MissingProgram
from .jars import kafka_version
from .node import Node

# Where the official image has them (docker/jvm/Dockerfile in Kafka's repository).
IMAGE_JARS = Path("/opt/kafka/libs")

log = logging.getLogger(__name__)


def docker_answers() -> bool:
    return what_docker_needs() is None


def what_docker_needs() -> str | None:
    """What somebody who wants the container has to do first; None where Docker answers."""
    if not shutil.which("docker"):
        return "or install Docker"
    asked = _docker("version")
    if asked.returncode == 0:
        return None
    said = (asked.stderr.splitlines() or ["it does not say why"])[-1]
    return f"or start Docker, whose client is here and does not reach its daemon ({said})"


def image() -> str:
    return f"apache/kafka:{kafka_version()}"


def has_image() -> bool:
    return _docker("image", "inspect", image()).returncode == 0


def container_name(directory: Path) -> str:
    """One for each directory: a container that outlived its record is found by it."""
    return f"llm-orchestrator-state-{hashlib.sha256(str(directory).encode()).hexdigest()[:8]}"


def pull() -> None:
    """Raises MissingProgram when the image is not here and cannot be fetched."""
    if has_image():
        return
    log.info("fetching the image %s (once)", image())
    pulled = _docker("pull", image())
    if pulled.returncode:
        raise MissingProgram(f"docker pull {image()} failed: {(pulled.stderr.splitlines() or [''])[-1]}")


def command(node: Node) -> list[str]:
    """Runs in the foreground: the client hands SIGTERM on to the broker, and ends when it does.

    The host's network, because the broker tells its clients an address on loopback; the caller's user, so that the
    files are his.
    """
    name, directory = container_name(node.directory), node.directory
    settings = ["--name", name, "--network", "host", "--user", f"{os.getuid()}:{os.getgid()}"]
    mounts = ["--volume", f"{directory}:{directory}", "--workdir", str(directory)]
    java, *arguments = node.command(Path("java"), IMAGE_JARS)
    return ["docker", "run", "--rm", *settings, *mounts, "--entrypoint", java, image(), *arguments]


def remove(name: str) -> None:
    """Kill it if it runs, and do nothing if it is not there."""
    _docker("rm", "--force", name)


def _docker(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
