"""The optional build, in which what each event passes through is native code, judges as the reference does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.peers.compiled import compiled

CHECKOUT = Path(__file__).parents[2]
HELD_TO = (
    "test_golden.py", "test_fold_properties.py", "test_task_properties.py", "test_task.py", "test_avro.py", "test_outputs.py",
    "test_framing.py", "test_codec.py", "test_registry.py",
)  # fmt: skip


@pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no C compiler")
def test_the_compiled_build_gives_the_golden_bytes_and_has_the_properties_of_the_fold(tmp_path: Path) -> None:
    package = compiled(tmp_path)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(package), str(CHECKOUT)])}
    where = "import llm_orchestrator_state.model.fold as fold; print(fold.__file__)"
    found = subprocess.run([sys.executable, "-c", where], env=environment, capture_output=True, text=True, check=True)
    assert found.stdout.strip().endswith(".so")
    held = [str(CHECKOUT / "tests/unit" / name) for name in HELD_TO]
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *held],
        env=environment, cwd=CHECKOUT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-4000:]
