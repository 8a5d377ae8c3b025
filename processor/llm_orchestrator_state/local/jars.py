"""The jars of Apache Kafka, resolved once by Maven from the pom that comes with this package."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import MissingProgram
from ..settings import xdg_directory
from ..store.directory import make_directory
from .java import Java

NO_MAVEN = "Apache Kafka's jars come by Maven, and there is no mvn on the PATH: apt-get install maven  (or: brew install maven)"
# Pinned: the one that an old Maven takes by default resolves conflicts in other ways.
GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"

log = logging.getLogger(__name__)


def pom() -> Path:
    """In the installed package, else in the checkout (an editable install)."""
    installed = Path(__file__).with_name("pom.xml")
    return installed if installed.exists() else Path(__file__).parents[3] / "deploy" / "broker" / "pom.xml"


def kafka_version() -> str:
    found = re.search(r"<kafka.version>(.+?)</kafka.version>", pom().read_text())
    assert found, "the pom states which Kafka it is"
    return found[1]


def can_be_had() -> bool:
    """Whether the jars are cached, or there is Maven to fetch them."""
    return _directory().exists() or shutil.which("mvn") is not None


def kafka_jars(java: Java) -> Path:
    """The directory of the jars; the first call takes some 15 s and 38 MB.

    Raises MissingProgram where they are not cached and Maven is absent, or fails.
    """
    jars = _directory()
    make_directory(jars.parent, instead="name another cache directory in XDG_CACHE_HOME")
    with locked(jars.with_name(f"{jars.name}.lock")):
        if not jars.exists():
            _resolve(jars, java)
    return jars


def _directory() -> Path:
    pom_hash = hashlib.sha256(pom().read_bytes()).hexdigest()[:8]
    return xdg_directory("CACHE") / f"kafka-{kafka_version()}-{pom_hash}"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Only one process at a time; a lock whose holder died is free."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _resolve(jars: Path, java: Java) -> None:
    maven = shutil.which("mvn")
    if not maven:
        raise MissingProgram(NO_MAVEN)
    log.info("fetching Apache Kafka %s with Maven (38 MB, once)", kafka_version())
    # Renamed when complete, so that a directory which exists is a whole one.
    unfinished = jars.with_name(f"{jars.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    command = [maven, "-q", "-B", "-f", str(pom()), GOAL, f"-DoutputDirectory={unfinished}"]
    # Maven runs on the same Java: with a JRE from a wheel there is none on the PATH.
    environment = {**os.environ, "JAVA_HOME": str(java.home)}
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if ran.returncode:
        reasons = [line for line in (ran.stdout + ran.stderr).splitlines() if line.strip()]
        reason = reasons[0] if reasons else f"exit code {ran.returncode}"
        raise MissingProgram(f"Maven could not fetch Apache Kafka's jars: {reason}; try: mvn -f {pom()} {GOAL}")
    unfinished.rename(jars)
