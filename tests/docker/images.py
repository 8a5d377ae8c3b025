"""The images that the tests run: public ones where they can be had, else their like, made from packages."""

from __future__ import annotations

import os
import subprocess
import tarfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from llm_orchestrator_state.local import container
from llm_orchestrator_state.local.ports import free_ports
from tests.docker import sources
from tests.docker.cache import CHECKOUT, digest, run
from tests.docker.debian import debian_root

FILES = Path(__file__).with_name("images")
PYTHON = "python:3.13-slim"
REGISTRY = "apicurio/apicurio-registry:3.3.3"
LOCAL = "llm-orchestrator-state-test"


def kafka() -> str:
    if can_be_had(container.image()):
        return container.image()
    jars = sources.jars()
    return _built("kafka", {"java": sources.java_runtime(), "jars": jars}, sources.JAVA, jars.name)


def registry() -> str:
    if can_be_had(REGISTRY):
        return REGISTRY
    return _built("registry", {"java": sources.java_runtime(), "app": sources.registry_app()}, sources.REGISTRY)


def product() -> str:
    """From the Dockerfile, with everything that it fetches from the outside fetched here."""
    tag = f"{LOCAL}/product"
    command = ["docker", "build", "--quiet", "--file", "deploy/Dockerfile", "--tag", tag]
    if can_be_had(PYTHON):
        run(*command, str(CHECKOUT))
        return tag
    with _served(sources.package_index()) as index:
        arguments = {"PYTHON_IMAGE": _base(), "PIP_INDEX_URL": index}
        run(*command, "--network=host", *_build_arguments(arguments), str(CHECKOUT))
    return tag


def can_be_had(image: str) -> bool:
    """Whether it is here or can be pulled."""
    for what in (["image", "inspect"], ["pull", "--quiet"]):
        if subprocess.run(["docker", *what, image], capture_output=True, check=False).returncode == 0:
            return True
    return False


def _base() -> str:
    root = debian_root()
    tag = f"{LOCAL}/base:{root.name}"
    if not _is_here(tag):
        _feed(["docker", "import", "-", tag], {"": root})
    return tag


def _built(name: str, directories: Mapping[str, Path], *versions: str) -> str:
    """From its Dockerfile and its files here, and these directories."""
    files = {path.relative_to(FILES / name).as_posix(): path for path in (FILES / name).rglob("*") if path.is_file()}
    base = _base()
    contents = [entry for each in sorted(files) for entry in (each, files[each].read_bytes())]
    tag = f"{LOCAL}/{name}:{digest(base, *versions, *contents)}"
    if not _is_here(tag):
        arguments = _build_arguments({"BASE_IMAGE": base})
        _feed(["docker", "build", "--quiet", "--tag", tag, *arguments, "-"], {**files, **directories})
    return tag


def _is_here(tag: str) -> bool:
    return subprocess.run(["docker", "image", "inspect", tag], capture_output=True, check=False).returncode == 0


def _build_arguments(values: Mapping[str, str]) -> list[str]:
    return [f"--build-arg={name}={value}" for name, value in values.items()]


def _feed(command: list[str], contents: Mapping[str, Path]) -> None:
    """Runs a command that takes a tar archive of these files and directories, by their names in it."""
    reader, writer = os.pipe()
    with subprocess.Popen(command, stdin=reader, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        os.close(reader)
        # Docker's client looks at the first block only, and takes Python's own form, PAX, for no archive
        with (
            os.fdopen(writer, "wb") as pipe,
            tarfile.open(fileobj=pipe, mode="w|", format=tarfile.GNU_FORMAT) as archive,
        ):
            for name, path in contents.items():
                archive.add(path, name or ".")
        assert process.stdout
        said = process.stdout.read().decode()
    assert process.returncode == 0, said


@contextmanager
def _served(directory: Path) -> Iterator[str]:
    """The address of a web server on loopback, which shows a directory."""
    handler = partial(_QuietHandler, directory=str(directory))
    # the same port each time, if it is free: the builder's cache knows a build by its arguments
    usual = 20_000 + int(digest(str(directory)), 16) % 10_000
    with ThreadingHTTPServer(("127.0.0.1", free_ports(1, [usual])[0]), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *words: object) -> None:  # noqa: A002 - as it is called there
        """Says nothing."""
