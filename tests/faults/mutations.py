"""Each safeguard is needed: taken out, its test fails. python -m tests.faults.mutations [NAME ...]

It works in a copy of the checkout; the exit code is 1 where a test passes without its safeguard.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from tests.integration.processes import CHECKOUT

PACKAGE = "processor/llm_orchestrator_state"


class Mutation(NamedTuple):
    """file: of the package. test: as pytest names it, under tests/faults."""

    name: str
    file: str
    old: str
    new: str
    test: str


MUTATIONS = (
    Mutation(
        "a dead owner's transaction is left open",
        "engine/recovery.py",
        "settle(self._kafka, owner, self._clock)\n",
        "pass\n",
        "test_open_transactions.py::test_a_dead_workers_transaction_is_ended_by_its_successor_and_nothing_is_lost",
    ),
    Mutation(
        "offsets do not tell whose they are",
        "engine/transaction.py",
        "TopicPartition(source, p, o, self.transactional_id)",
        "TopicPartition(source, p, o)",
        "test_open_transactions.py::test_a_dead_workers_transaction_is_ended_by_its_successor_and_nothing_is_lost",
    ),
    Mutation(
        "open transactions are not looked for",
        "engine/recovery.py",
        "if not offset.pending and not self._output_is_open(partition):",
        "if offset:",
        "test_open_transactions.py::test_a_dead_workers_transaction_is_ended_by_its_successor_and_nothing_is_lost",
    ),
    Mutation(
        "events are read before they are committed",
        "kafka/properties.py",
        '"isolation.level": "read_committed",',
        '"isolation.level": "read_uncommitted",',
        "test_open_transactions.py::"
        "test_events_behind_a_dead_publishers_transaction_wait_for_its_end_and_none_of_its_own_counts",
    ),
    Mutation(
        "the store is written before the commit",
        "engine/commits.py",
        "        try:\n            pending = self._transactions.run(",
        "        for p, task in tasks.items():\n"
        '            self._write(p, task.position, ((r.key or b"", r.value) for r in task.states()), {})\n'
        "        try:\n            pending = self._transactions.run(",
        "test_commit.py::test_a_worker_killed_at_a_step_of_its_commit_goes_on_at_once_and_without_a_wipe[offsets-sent]",
    ),
    Mutation(
        "what was committed and not stored is not read back",
        "engine/recovery.py",
        "if positions.state >= state_log.end:",
        "if positions.state >= 0:",
        "test_commit.py::test_a_worker_killed_at_a_step_of_its_commit_goes_on_at_once_and_without_a_wipe[committed]",
    ),
    Mutation(
        "offsets are committed outside the transaction",
        "engine/transaction.py",
        "            if positions:\n",
        "            if positions and False:\n",
        "test_commit.py::test_a_worker_killed_at_a_step_of_its_commit_goes_on_at_once_and_without_a_wipe[stored]",
    ),
    Mutation(
        "after an abort the consumer does not go back",
        "engine/commits.py",
        "            self._partitions.fetch_from(p, task.rollback())",
        "            task.rollback()",
        "test_network.py::test_workers_go_on_after_the_transaction_coordinator_alone_was_out_of_reach",
    ),
    Mutation(
        "who is thrown out of the group does not mind",
        "engine/worker.py",
        "if now < self._fenced_at + RIVAL_S:",
        "if now < self._fenced_at:",
        "test_identity.py::test_of_two_workers_with_one_identity_and_one_directory_one_ends_with_exit_code_11",
    ),
    Mutation(
        "a transactional call is waited for without end",
        "kafka/transactional.py",
        "if call.is_over(timeout_s + GRACE_S):",
        "if call.is_over(3600):",
        "test_network.py::test_workers_go_on_after_the_transaction_coordinator_alone_was_out_of_reach",
    ),
)


def survives(mutation: Mutation, copy: Path) -> bool:
    """Whether the test passes without the safeguard."""
    file = copy / PACKAGE / mutation.file
    before = file.read_text()
    assert before.count(mutation.old) == 1, f"{mutation.name}: {mutation.file} has changed"
    file.write_text(before.replace(mutation.old, mutation.new))
    own = {"PYTHONPATH": os.pathsep.join([str(copy / "processor"), str(copy)])}
    words = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", f"tests/faults/{mutation.test}"]
    ran = subprocess.run(words, cwd=copy, env=os.environ | own, stdout=subprocess.PIPE, text=True, check=False)
    file.write_text(before)
    failed, passed = (re.search(rf"\b\d+ {word}\b", ran.stdout) for word in ("failed", "passed"))
    assert failed or passed, ran.stdout
    return not failed


def main(names: list[str]) -> int:
    chosen = [each for each in MUTATIONS if not names or each.name in names]
    survivors = 0
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory)
        for part in ("processor", "schemas", "deploy", "tests", "pyproject.toml"):
            source, to = CHECKOUT / part, copy / part
            _ = shutil.copytree(source, to) if source.is_dir() else shutil.copy(source, to)
        for mutation in chosen:
            passed = survives(mutation, copy)
            survivors += passed
            print(f"{'SURVIVES' if passed else 'found out'}: {mutation.name}", flush=True)
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
