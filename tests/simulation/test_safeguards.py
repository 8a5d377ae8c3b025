"""Each safeguard inside the engine is needed: replaced by a version without it, some schedule fails.

test_rules.py does the same from outside, at the engine's ports.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable, Iterator
from typing import Any, NamedTuple

import pytest

from llm_orchestrator_state.engine.outputs import Record
from llm_orchestrator_state.engine.recovery import Recovery
from llm_orchestrator_state.engine.task import PartitionTask
from llm_orchestrator_state.engine.transaction import Outcome, Transactions
from llm_orchestrator_state.engine.worker import Worker
from llm_orchestrator_state.store.interface import Positions
from tests.simulation.schedule import run_schedule

MOST_SCHEDULES = 500
"""Within which a missing safeguard must be found out; measured: 0 to 58."""

_real_states = PartitionTask.states
_real_run = Transactions.run


class Safeguard(NamedTuple):
    """owner's attribute name is replaced by without."""

    rule: str
    owner: type
    name: str
    without: Any


def _no_seek(_self: Worker, tasks: dict[int, PartitionTask]) -> None:
    for task in tasks.values():
        task.rollback()


def _keeps_changed_runs(self: PartitionTask) -> int:
    self._end()
    self.position = self.committed
    return self.position


def _writes_before_the_commit(self: PartitionTask) -> Iterator[Record]:
    records = list(_real_states(self))
    before = self.store.positions() or Positions(None, 0, 0.0)
    self.store.write(((r.key or b"", r.value) for r in records), before)
    return iter(records)


def _takes_aborted_for_committed(self: Transactions, *arguments: Any) -> tuple[Outcome, dict[int, int]]:
    outcome, delivered = _real_run(self, *arguments)
    return (Outcome.COMMITTED if outcome is Outcome.ABORTED else outcome), delivered


def _does_not_catch_up(
    _self: Recovery, _partition: int, _store: object, positions: Positions, state_log: Any
) -> Generator[float, None, tuple[Positions, int]]:
    yield 0.0
    return Positions(positions.input, state_log.end, positions.level_at), 0


def _reads_deleted_runs_back(self: PartitionTask, keys: Iterable[bytes]) -> None:
    missing = [key for key in keys if key not in self._runs]
    for key, value in zip(missing, self.store.get_many(missing), strict=True):
        if value is not None:
            self._runs[key] = self._codec.keep_state(value)


SAFEGUARDS = (
    Safeguard("after an abort the consumer goes back", Worker, "_go_back", _no_seek),
    Safeguard("after an abort the changed runs are forgotten", PartitionTask, "rollback", _keeps_changed_runs),
    Safeguard("an aborted transaction changes no store", Transactions, "run", _takes_aborted_for_committed),
    Safeguard("uncommitted states never reach the store", PartitionTask, "states", _writes_before_the_commit),
    Safeguard(
        "a commit without an answer is not taken for an abort",
        Worker, "_settled_outcome", lambda _self, _offsets: Outcome.ABORTED,
    ),
    Safeguard(
        "a commit without an answer is not taken for a commit",
        Worker, "_settled_outcome", lambda _self, _offsets: Outcome.COMMITTED,
    ),
    Safeguard("a store is level with the state topic before it is used", Recovery, "_catch_up", _does_not_catch_up),
    Safeguard("a deleted run is not read back from the store", PartitionTask, "_load", _reads_deleted_runs_back),
)  # fmt: skip


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize("safeguard", SAFEGUARDS, ids=lambda safeguard: safeguard.rule)
def test_a_schedule_fails_without_the_rule_that(safeguard: Safeguard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(safeguard.owner, safeguard.name, safeguard.without)
    for seed in range(MOST_SCHEDULES):
        try:
            run_schedule(seed)
        except Exception:  # noqa: BLE001 - whatever the schedule ends with, it noticed; it must pass with the rule
            monkeypatch.undo()
            run_schedule(seed)
            return
    pytest.fail(f"{MOST_SCHEDULES} schedules pass without it")
