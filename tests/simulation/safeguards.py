"""The engine's safeguards, each with what the engine would be without it: a simulation must notice every one's absence.

Each entry replaces one method or attribute by a version in which the rule is left out.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from unittest.mock import patch

from llm_orchestrator_state.engine import task, worker
from llm_orchestrator_state.engine.partitions import Partitions
from llm_orchestrator_state.engine.recovery import Recovery
from llm_orchestrator_state.engine.task import PartitionTask
from llm_orchestrator_state.engine.transaction import Outcome, Transactions
from llm_orchestrator_state.engine.worker import Worker
from llm_orchestrator_state.kafka.interface import GroupOffset
from llm_orchestrator_state.store.interface import Positions


class Safeguard(NamedTuple):
    """rule: what holds, as a sentence. target and name: what is replaced, by without."""

    rule: str
    target: Any
    name: str
    without: Any


def _no_seek(_self: Worker, tasks: dict[int, PartitionTask]) -> None:
    for one in tasks.values():
        one.rollback()


def _keeps_runs(self: PartitionTask) -> int:
    self._end()
    self.position = self.committed
    return self.position


_real_changes = PartitionTask.changes


def _written_early(self: PartitionTask) -> task.Changes:
    changes = _real_changes(self)
    before = self.store.positions() or Positions(None, 0, 0.0)
    self.store.write(((r.key or b"", r.value) for r in changes.states), before)
    return changes


def _not_caught_up(
    _self: Recovery, _partition: int, _store: object, positions: Positions, state_log: Any
) -> Generator[float, None, Positions]:
    yield 0.0
    return Positions(positions.input, state_log.end, positions.level_at)


def _not_settled(self: Recovery, partition: int) -> Generator[float, None, GroupOffset]:
    yield 0.0
    return self._kafka.group_offsets([partition])[partition]


def _from_the_start(self: Recovery, partition: int, _positions: Positions, committed: GroupOffset) -> int:
    if committed.offset is not None:
        return committed.offset
    return self._kafka.log_ranges(self._config.topics.events, [partition])[partition].start


_real_run = Transactions.run


def _aborts_ignored(self: Transactions, *arguments: Any) -> tuple[Outcome, dict[int, int]]:
    outcome, delivered = _real_run(self, *arguments)
    return (Outcome.COMMITTED if outcome is Outcome.ABORTED else outcome), delivered


def _forget_deleted(self: PartitionTask, keys: Any) -> None:
    missing = [key for key in keys if key not in self._runs]
    for key, value in zip(missing, self.store.get_many(missing), strict=True):
        if value is not None:
            self._runs[key] = self._codec.keep_state(value)


def _judge_again(self: PartitionTask, messages: Any) -> None:
    self._load({message.key() or b"" for message in messages})
    for message in messages:
        self._judge(message.key() or b"", message.value(), message.offset())
        self.position = message.offset() + 1


_fresh_generation = property(lambda self: self.consumer.consumer_group_metadata(), lambda _self, _value: None)

SAFEGUARDS = (
    Safeguard("after an abort the consumer goes back", Worker, "_go_back", _no_seek),
    Safeguard("after an abort the changed runs are forgotten", PartitionTask, "rollback", _keeps_runs),
    Safeguard("an aborted transaction changes no store", Transactions, "run", _aborts_ignored),
    Safeguard("uncommitted states never reach the store", PartitionTask, "changes", _written_early),
    Safeguard("the group's metadata is that of the last rebalance told", Partitions, "generation", _fresh_generation),
    Safeguard(
        "a commit without an answer is not taken for an abort",
        Worker, "_settled_outcome", lambda _self, _offsets: Outcome.ABORTED,
    ),
    Safeguard(
        "a commit without an answer is not taken for a commit",
        Worker, "_settled_outcome", lambda _self, _offsets: Outcome.COMMITTED,
    ),
    Safeguard("a store is level with the state topic before it is used", Recovery, "_catch_up", _not_caught_up),
    Safeguard("an earlier owner's transaction is over before the offset is taken", Recovery, "_settled", _not_settled),
    Safeguard("a store too old for the tombstones is not used", Recovery, "_why_cold", lambda *_: None),
    Safeguard("without group offsets a store goes on where it is", Recovery, "_where_to_go_on", _from_the_start),
    Safeguard("lost partitions are not committed", Partitions, "_on_lost", Partitions._on_revoke),
    Safeguard("records that come twice around a seek are judged once", PartitionTask, "process", _judge_again),
    Safeguard("a deleted run is not read back from the store", PartitionTask, "_load", _forget_deleted),
)  # fmt: skip


@contextmanager
def taken_out(safeguard: Safeguard) -> Iterator[None]:
    with patch.object(safeguard.target, safeguard.name, safeguard.without, create=True):
        yield


__all__ = ["SAFEGUARDS", "Safeguard", "taken_out", "worker"]
