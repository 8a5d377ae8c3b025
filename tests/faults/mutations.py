"""Each safeguard is needed: taken out, its test fails. python -m tests.faults.mutations [NAME ...]

Without names, all but those whose tests take minutes. It works in a copy of the checkout; the exit code is 1 where a test
passes without its safeguard, 2 for a name that is none.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.mutants import MUTANTS, Mutant
from tests.integration.processes import CHECKOUT

PACKAGE = "processor/llm_orchestrator_state"

PYTEST = ("-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-m", "")
"""The last two: a mutant's test may be one that the suite leaves out for its time."""


MOST = 240
"""Characters of a line: reasons may quote a whole log."""


def failure(mutant: Mutant, copy: Path) -> str | None:
    """How the test fails without the safeguard; None where it passes."""
    file = copy / PACKAGE / mutant.file
    before = file.read_text()
    assert before.count(mutant.old) == 1, f"{mutant.name}: {mutant.file} has changed"
    file.write_text(before.replace(mutant.old, mutant.new))
    own = {"PYTHONPATH": os.pathsep.join([str(copy / "processor"), str(copy)])}
    words = [sys.executable, *PYTEST, f"tests/faults/{mutant.test}"]
    ran = subprocess.run(words, cwd=copy, env=os.environ | own, stdout=subprocess.PIPE, text=True, check=False)
    file.write_text(before)
    failed, passed = (re.search(rf"\b\d+ {word}\b", ran.stdout) for word in ("failed", "passed"))
    assert failed or passed, ran.stdout
    return _reason(ran.stdout) if failed else None


def _reason(told: str) -> str:
    """The first line of what pytest tells of the failure."""
    found = re.search(r"^E +(.*)", told, re.MULTILINE)
    return found[1] if found else "no reason is told"


def chosen(names: list[str]) -> list[Mutant]:
    if not names:
        return [each for each in MUTANTS if not each.minutes]
    by_name = {each.name: each for each in MUTANTS}
    if unknown := [name for name in names if name not in by_name]:
        print(f"error: none is called {unknown[0]!r}; there are:", *by_name, sep="\n    ", file=sys.stderr)
        raise SystemExit(2)
    return [by_name[name] for name in names]


def main(names: list[str]) -> int:
    survivors = 0
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory)
        for part in ("processor", "schemas", "deploy", "tests", "pyproject.toml"):
            source, to = CHECKOUT / part, copy / part
            _ = shutil.copytree(source, to) if source.is_dir() else shutil.copy(source, to)
        for mutant in chosen(names):
            began = time.monotonic()
            reason = failure(mutant, copy)
            survivors += reason is None
            how = "SURVIVES" if reason is None else "found out"
            print(f"{how}: {mutant.name} ({time.monotonic() - began:.0f} s) {reason or ''}".rstrip()[:MOST], flush=True)
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
