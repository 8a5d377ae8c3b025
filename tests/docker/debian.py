"""A small Debian with Python, unpacked from packages: what ``FROM python:3.13-slim`` is where nothing can be pulled."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from tests.docker.cache import digest, made, run

# The C++ library is in Debian's own images because apt needs it; here it is because RocksDB does.
PACKAGES = ("bash", "coreutils", "dash", "findutils", "grep", "libstdc++6", "python3", "python3-venv", "sed")
PIP = "pip==26.0"


def debian_root() -> Path:
    """Of this machine's release, with ``python`` and ``pip`` as in the public images of Python."""
    release = dict(re.findall(r'^(\w+)="?(.+?)"?$', Path("/etc/os-release").read_text(), re.MULTILINE))
    return made(f"{release['ID']}-{release['VERSION_ID']}-{digest(Path(__file__).read_bytes())}", _make)


def python_version() -> str:
    """Of that Debian, as "3.11"."""
    return _library(debian_root()).name.removeprefix("python")


def _make(root: Path) -> None:
    archives = root.with_name("archives.part")
    shutil.rmtree(archives, ignore_errors=True)
    (archives / "partial").mkdir(parents=True)
    # Nothing is installed as far as this apt knows, so all that is needed comes too.
    nothing = archives / "status"
    nothing.touch()
    options = {"Dir::State::status": nothing, "Dir::Cache::archives": archives, "APT::Sandbox::User": "root"}
    words = [f"-o={name}={value}" for name, value in options.items()]
    run("apt-get", "-qq", *words, "--yes", "--no-install-recommends", "--download-only", "install", *PACKAGES)
    for package in sorted(archives.glob("*.deb")):
        run("dpkg-deb", "--extract", str(package), str(root))
    shutil.rmtree(archives)
    for unneeded in ("doc", "man", "locale", "info", "lintian"):
        shutil.rmtree(root / "usr" / "share" / unneeded, ignore_errors=True)
    _finish(root)
    _add_pip(root)


def _finish(root: Path) -> None:
    """What the packages' own scripts would do."""
    for name in ("bin", "sbin", "lib", "lib64"):
        if not (root / name).exists():
            (root / name).symlink_to(f"usr/{name}")
    if not (root / "bin/sh").exists():
        (root / "bin/sh").symlink_to("dash")
    (root / "tmp").mkdir(exist_ok=True)
    (root / "tmp").chmod(0o1777)
    (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/bash\n")
    (root / "etc/group").write_text("root:x:0:\n")
    (root / "etc/nsswitch.conf").write_text("hosts: files dns\n")


def _add_pip(root: Path) -> None:
    programs = root / "usr/local/bin"
    programs.mkdir(parents=True, exist_ok=True)
    (programs / "python").symlink_to("/usr/bin/python3")
    (programs / "pip").write_text('#!/bin/sh\nexec python -m pip "$@"\n')
    (programs / "pip").chmod(0o755)
    packages = root / "usr/local/lib" / _library(root).name / "dist-packages"
    run(sys.executable, "-m", "pip", "-q", "install", "--no-deps", "--target", str(packages), PIP)


def _library(root: Path) -> Path:
    return next((root / "usr/lib").glob("python3.*"))
