"""The optional build of the package, in which what each event passes through is native code."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

COMPILE = Path(__file__).parents[3] / "deploy" / "compile"


def compiled(directory: Path) -> Path:
    """A directory that has the package, for PYTHONPATH. It takes half a minute."""
    subprocess.run([COMPILE, directory], check=True, stdout=subprocess.DEVNULL)
    (wheel,) = directory.glob("*.whl")
    package = directory / "package"
    with zipfile.ZipFile(wheel) as files:
        files.extractall(package)
    return package
