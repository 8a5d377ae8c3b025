"""A real schema registry with Confluent's REST API: Apicurio Registry, which can be killed and started again."""

from __future__ import annotations

import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from llm_orchestrator_state.local import class_data
from llm_orchestrator_state.local.ports import LOOPBACK, free_ports
from llm_orchestrator_state.local.process import Process
from tests.cluster import DIE_WITH_PARENT
from tests.integration.harness import until
from tests.maven import java_of, unpacked

ARTIFACT = "io.apicurio:apicurio-registry-app:3.3.3:tar.gz:all"
OLDEST_JAVA = 21
READY_S = 90.0
"""3 s with a class-data archive and 10 without on an idle machine; a loaded one may take its time."""


class _Running(NamedTuple):
    process: Process
    shell: subprocess.Popen[bytes]


class SchemaRegistry:
    """One that keeps its schemas in a directory, across restarts, and dies with the test run.

    Raises MissingProgram where there is no Java that runs it, or Maven cannot fetch it.
    """

    def __init__(self, directory: Path) -> None:
        self._java = java_of(OLDEST_JAVA)
        self._application = unpacked(ARTIFACT)
        self._directory = directory
        self._port, self._management_port = free_ports(2)
        self._archive = class_data.archive(self._java, self._application)
        self._running: _Running | None = None

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._port}/apis/ccompat/v7"

    def start(self) -> None:
        """Returns when it answers."""
        shell = subprocess.Popen(
            ["sh", "-c", DIE_WITH_PARENT, str(self._log), *self._command()],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        assert shell.stdout
        self._running = _Running(Process.of(int(shell.stdout.readline())), shell)
        until(self._answers, READY_S)

    def kill(self) -> None:
        if self._running:
            self._running.process.kill()
            self._ended()

    def _stop(self) -> None:
        """As it leaves it writes the archive of its classes, where there is none."""
        if self._running and not self._archive.exists():
            if self._running.process.stop(READY_S) and self._new_archive.exists():
                self._new_archive.replace(self._archive)
            self._ended()
        self.kill()

    def _ended(self) -> None:
        assert self._running
        self._running.shell.communicate()
        self._running = None

    def _command(self) -> list[str]:
        properties = {
            "java.util.logging.manager": "org.jboss.logmanager.LogManager",
            "quarkus.http.host": LOOPBACK,
            "quarkus.http.port": self._port,
            # left alone it listens on every address of the machine
            "quarkus.management.host": LOOPBACK,
            "quarkus.management.port": self._management_port,
            "apicurio.storage.kind": "sql",
            "apicurio.datasource.url": f"jdbc:h2:file:{self._directory}/schemas;WRITE_DELAY=0;DB_CLOSE_ON_EXIT=FALSE",
        }
        return [
            str(self._java.program), "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData",
            *class_data.options(self._java, self._archive, self._new_archive),
            *(f"-D{name}={value}" for name, value in properties.items()),
            "-jar", str(next(self._application.rglob("quarkus-run.jar"))),
        ]  # fmt: skip

    @property
    def _log(self) -> Path:
        return self._directory / "registry.log"

    @property
    def _new_archive(self) -> Path:
        return self._directory / "classes.jsa"

    def _answers(self) -> bool:
        assert self._running
        assert self._running.process.alive(), self._log.read_text()[-3000:]
        try:
            urllib.request.urlopen(f"{self.url}/subjects", timeout=5).close()
        except (urllib.error.URLError, OSError):
            return False
        return True

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
