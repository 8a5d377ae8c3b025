"""A Docker engine of the tests' own, for a machine on which none runs: python -m tests.docker [pytest arguments]

It lives in namespaces of its own (network, mounts, processes). So its bridge, its firewall rules and the ports that it
publishes are nobody else's, and whatever it started ends with it, also when it is killed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from llm_orchestrator_state.local.jars import locked
from llm_orchestrator_state.local.process import wait_until
from tests.docker.cache import CACHE

WHY_NOT = "LLM_ORCHESTRATOR_STATE_TEST_NO_ENGINE"
"""The variable that says why there is no engine."""

NAMESPACES = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
START_PATIENCE_S = 60.0
STOP_PATIENCE_S = 30.0

# Each program that is needed, and the Debian packages that may have it: the first one that apt knows.
PACKAGES = {
    "docker": ("docker-cli", "docker.io"),
    "dockerd": ("docker.io",),
    "docker-compose": ("docker-compose", "docker-compose-v2"),
    "ip": ("iproute2",),
    "iptables": ("iptables",),
    "unshare": ("util-linux",),
}


class NoEngine(Exception):
    """Why no engine can be had here."""


def answers() -> bool:
    return bool(shutil.which("docker")) and _docker("version").returncode == 0


def install() -> None:
    """What is missing of the engine. Raises NoEngine where that cannot be done."""
    missing = [program for program in PACKAGES if not shutil.which(program)]
    if os.geteuid() != 0:
        raise NoEngine("no Docker engine answers, and only root can start one")
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise NoEngine(f"no Docker engine answers, and without apt {', '.join(missing)} cannot be installed")
    print(f"installing {', '.join(missing)} with apt", file=sys.stderr)
    _apt("update")
    with _no_service_starts():
        _apt("install", *{_package(program) for program in missing})


def run(command: Sequence[str]) -> int:
    """The exit code of a command that has an engine, or is told why it has none.

    Raises NoEngine where namespaces cannot be made.
    """
    tried = subprocess.run([*NAMESPACES, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        raise NoEngine(f"no Docker engine can be started here: {tried.stderr.strip()}")
    CACHE.mkdir(parents=True, exist_ok=True)
    # The directory is made and removed out here, where nothing is mounted in it.
    with tempfile.TemporaryDirectory(prefix="docker-") as runtime, locked(CACHE / "engine.lock"):
        inside = [sys.executable, "-m", "tests.docker.engine", runtime, *command]
        return subprocess.run([*NAMESPACES, *inside], check=False).returncode


def without(command: Sequence[str], why: Exception) -> int:
    """The exit code of a command that is told why it has no engine."""
    return subprocess.run(command, check=False, env={**os.environ, WHY_NOT: str(why)}).returncode


def _package(program: str) -> str:
    for name in PACKAGES[program]:
        if subprocess.run(["apt-cache", "show", name], capture_output=True, check=False).returncode == 0:
            return name
    raise NoEngine(f"no Docker engine answers, and apt has no package with {program}")


def _apt(*words: str) -> None:
    command = ["apt-get", "-qq", "-o=APT::Install-Recommends=false", *words, "--yes"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if ran.returncode:
        raise NoEngine(f"apt-get {words[0]} failed: {(ran.stderr.splitlines() or ['it does not say why'])[-1]}")


@contextmanager
def _no_service_starts() -> Iterator[None]:
    """What Debian's packages ask before they start what they have installed (invoke-rc.d(8))."""
    policy = Path("/usr/sbin/policy-rc.d")
    if policy.exists():
        yield
        return
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink()


@contextmanager
def started(runtime: Path) -> Iterator[None]:
    """Images are kept for two days; of containers, networks and volumes nothing is."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    if Path("/run/containerd").exists():
        # dockerd would take the machine's containerd, whose containers are not in these namespaces
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run/containerd"], check=True)
    log = runtime / "log"
    address = f"unix://{runtime}/docker.sock"
    places = [f"--data-root={CACHE / 'engine'}", f"--exec-root={runtime}/exec", f"--pidfile={runtime}/pid"]
    with log.open("wb") as file:
        engine = subprocess.Popen(["dockerd", f"--host={address}", *places], stdout=file, stderr=file)
    os.environ["DOCKER_HOST"] = address
    try:
        wait_until(lambda: answers() or engine.poll() is not None, START_PATIENCE_S)
        if not answers():
            raise NoEngine(f"dockerd does not answer: {(log.read_text().splitlines() or ['it said nothing'])[-1]}")
        for kept in ("container", "network", "volume"):
            _docker(kept, "prune", "--force")
        _docker("image", "prune", "--all", "--force", "--filter", "until=48h")
        yield
    finally:
        engine.terminate()
        engine.wait(STOP_PATIENCE_S)


def _docker(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *words], capture_output=True, text=True, check=False)


def main(runtime: str, *command: str) -> int:
    try:
        with started(Path(runtime)):
            # its helper's image cannot be pulled, and nothing outlives the namespaces anyway
            os.environ["TESTCONTAINERS_RYUK_DISABLED"] = "true"
            return subprocess.run(command, check=False).returncode
    except NoEngine as why:
        return without(command, why)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
