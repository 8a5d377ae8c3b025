"""The engine's safeguards: where each stands in the code, and the code without it.

What only a fold decides (verdicts, effects) is not here: the simulation holds the engine to the same fold. Nor is what
saves time alone, or what another safeguard would make up for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tests.simulation.rewriting import Line, Replaced


class Safeguard(NamedTuple):
    """rule: what would not hold without it. line: runs when it is needed. without: the code that lacks it.

    given, emphasis: of the schedules that are to find that out (run_schedule()). rare: that takes thousands of them.
    """

    rule: str
    line: Line
    without: tuple[Replaced, ...]
    given: Mapping[str, object]
    emphasis: Mapping[str, float]
    rare: bool


def _guard(
    rule: str,
    file: str,
    line: str,
    *without: tuple[str, str] | str,
    given: Mapping[str, object] | None = None,
    rare: bool = False,
    **emphasis: float,
) -> Safeguard:
    """without: texts, each with what replaces it; a text alone replaces the line."""
    pairs = [(line, each) if isinstance(each, str) else each for each in without]
    return Safeguard(
        rule, Line(file, line), tuple(Replaced(file, *pair) for pair in pairs), given or {}, emphasis, rare
    )


WORKER, COMMITS, TASK = "engine/worker.py", "engine/commits.py", "engine/task.py"
TRANSACTION = "engine/transaction.py"
PARTITIONS, RECOVERY = "engine/partitions.py", "engine/recovery.py"

_COMMITTING = (
    _guard(
        "after an abort the consumer goes back",
        COMMITS, "self._partitions.fetch_from(p, task.rollback())",
        ("self._partitions.fetch_from(p, task.rollback())", "task.rollback()"),
    ),
    _guard(
        "an aborted transaction changes no store",
        COMMITS, "if outcome is Outcome.ABORTED:",
        ("if outcome is Outcome.ABORTED:", "if False:"),
    ),
    _guard(
        "a commit without an answer is not taken for an abort",
        COMMITS, "return Outcome.COMMITTED",
        ("return Outcome.COMMITTED", "return Outcome.ABORTED"),
        given={"faults": 0.03},
    ),
    _guard(
        "a commit without an answer is not taken for a commit",
        COMMITS, "return Outcome.ABORTED",
        ("return Outcome.ABORTED", "return Outcome.COMMITTED"),
    ),
    _guard(
        "a commit that could not be finished opens the partitions again",
        COMMITS, "self._partitions.reopen(p, after_s=ABORTED_PAUSE_S)",
        ("self._partitions.reopen(p, after_s=ABORTED_PAUSE_S)", "pass"),
        given={"faults": 0.06}, rare=True,
    ),
    _guard(
        "uncommitted states never reach the store",
        COMMITS, "pending = self._transactions.run(batches,",
        (
            "pending = self._transactions.run(batches,",
            """[self._write(p, task.committed, [(r.key, r.value) for r in task.states()], {}) for p, task in tasks.items()]
            pending = self._transactions.run(batches,""",
        ),
    ),
    _guard(
        "a store that is found damaged when it is written is restored",
        COMMITS, "self._partitions.restore(partition, error)\n        else:",
        ("self._partitions.restore(partition, error)\n        else:", "raise\n        else:"),
    ),
    _guard(
        "the position that a store notes is that of what is committed",
        COMMITS, "self._write(p, task.committed, (), {})",
        ("self._write(p, task.committed, (), {})", "self._write(p, task.position, (), {})"),
    ),
    _guard(
        "no partition is opened while a transaction is under way",
        WORKER, "self._commits.settle()  # they are claimed in a transaction of their own",
        ("self._commits.settle()  # they are claimed in a transaction of their own", "pass"),
        rare=True,
    ),
    _guard(
        "how a transaction ended is not told to a partition that was lost meanwhile",
        COMMITS, "tasks = {p: each.task for p, each in sent.items() if self._partitions.tasks.get(p) is each.task}",
        ("if self._partitions.tasks.get(p) is each.task}", "}"),
        rare=True,
    ),
    _guard(
        "what a failed step had judged is not committed when its worker is closed",
        WORKER, "for task in self._partitions.tasks.values():\n                task.rollback()",
        ("if self._failed:", "if False:"),
    ),
)  # fmt: skip

_JUDGING = (
    _guard(
        "a batch is not gone on with after its commit was aborted",
        WORKER, "return  # sent back, and fetched again from where it goes on",
        ("return  # sent back, and fetched again from where it goes on", "pass"),
    ),
    _guard(
        "a batch for which there was no room is gone on with after the others' commit was aborted",
        WORKER, "if task.position != position:",
        ("if task.position != position:", "if True:"),
        given={"small_commits": True, "partitions": 3, "commit_interval_s": 1.0}, storm=4, publish=40,
        rare=True,
    ),
    _guard(
        "what was fetched is dropped when another partition's commit has sent its partition back",
        WORKER, "self._judge(partition, batch)",
        ("if task and (task, task.position) == begins.get(partition):", "if task:"),
        given={"small_commits": True, "partitions": 3, "commit_interval_s": 1.0}, storm=4, publish=40,
        rare=True,
    ),
    _guard(
        "an event whose schema cannot be asked for is waited for",
        WORKER, "self._partitions.wait(partition, error)",
        ("self._partitions.wait(partition, error)", "batch = batch[1:]"),
    ),
    _guard(
        "what precedes an event that must be waited for is judged in the log's order",
        TASK, 'for message in messages[:taken]:\n                self._judge(message.key() or b"", message)\n',
        ("if self._codec.must_ask_for_some(message.value() for message in messages[:taken]):", "if False:"),
    ),
    _guard(
        "events whose runs' states there is no room for are judged with the next ones",
        TASK, "return self._process_chunk(messages[: messages.index(",
        ("if (not_loaded := self._load(by_run)) is not None:", "if (not_loaded := self._load(by_run)) == ():"),
    ),
    _guard(
        "a store that is found damaged when it is read is restored",
        WORKER, "self._partitions.restore(partition, error)\n            if batch",
        ("self._partitions.restore(partition, error)\n            if batch", "raise\n            if batch"),
    ),
    _guard(
        "after an abort the changed runs are forgotten",
        TASK, "self.position = self.sealed = self.committed",
        ("for key in (*self._in_transaction, *self._changed):\n            self._drop(key)", "pass"),
    ),
    _guard(
        "what was emitted is not emitted again",
        TASK, "self._in_transaction, self._changed = self._changed, {}",
        ("self._in_transaction, self._changed = self._changed, {}", "self._in_transaction = dict(self._changed)"),
    ),
    _guard(
        "a run that was judged again while it is committed is not forgotten",
        TASK, "if key in self._changed:\n                continue",
        ("if key in self._changed:\n                continue", "if False:\n                continue"),
    ),
    _guard(
        "what is not committed yet is not let go of to make room",
        TASK, "self._kept_bytes -= self._sizes.pop(key, 0)  # not committed yet: it must not be let go of",
        "pass",
        rare=True,
    ),
    _guard("no event is rejected twice", TASK, "self._rejections.clear()", ("self._rejections.clear()", "pass")),
    _guard(
        "a deleted run is not read back from the store",
        TASK, "missing = [key for key in keys if key not in runs and key not in changed and key not in sealed]",
        (" and key not in changed and", " and"),
    ),
    _guard(
        "a deleted run is not read back from the store while its tombstone is committed",
        TASK, "missing = [key for key in keys if key not in runs and key not in changed and key not in sealed]",
        (" and key not in sealed]", "]"),
        rare=True,
    ),
    _guard(
        "a deleted run's checkpoints go too, in all ten slots",
        "engine/checkpoint_slots.py", "for n in range(KEPT_CHECKPOINTS):",
        ("for n in range(KEPT_CHECKPOINTS):", "for n in range(KEPT_CHECKPOINTS - 1):"),
        given={"checkpoints": "step", "burst": 0.1, "small_states": False}, publish=30,
    ),
    _guard(
        "a changed step is encoded again",
        TASK, 'run.step_changed(fields["step_id"])',
        ('run.step_changed(fields["step_id"])', "pass"),
    ),
    _guard("a changed context is encoded again", TASK, "run.head_changed()", ("run.head_changed()", "pass")),
    _guard("a state that was replaced is encoded again", TASK, "run.all_changed()", ("run.all_changed()", "pass")),
    _guard(
        "whether a state is too large does not depend on where commits fall",
        "engine/size_limit.py", "largest = len(run.encode()) + growth(size)",
        ("largest = len(run.encode()) + growth(size)", 'return Rejection(Code.STATE_TOO_LARGE, "")'),
        given={"small_states": True},
    ),
    _guard("a state's bound grows with what is applied to it", TASK, "run.bound += growth(size)", ("run.bound += growth(size)", "pass"),
        given={"small_states": True, "small_commits": False, "commit_interval_s": 1.0}, publish=40,
    ),
)  # fmt: skip

_TRANSACTIONS = (
    _guard(
        "an abort that is refused may be a commit",
        TRANSACTION, 'log.warning("abort: %s", error)',
        ("return Outcome.ABORTED if self._abort(producer) else Outcome.UNKNOWN",
         "self._abort(producer)\n            return Outcome.ABORTED"),
    ),
    _guard(
        "a record that the full queue refused is produced again",
        TRANSACTION, "except BufferError:",
        ("except BufferError:  # the client's queue is full\n", "except BufferError:\n                    break\n"),
    ),
    _guard(
        "a transaction whose queue stays full is aborted",
        TRANSACTION, 'raise _Aborted("the producer\'s queue stays full") from None',
        ('raise _Aborted("the producer\'s queue stays full") from None', "break"),
        rare=True,
    ),
    _guard(
        "a delivery report without an offset does not move the store's position",
        TRANSACTION, "delivered[batch.topic, batch.partition] = offset + 1",
        ("if error is None and offset is not None and offset >= 0:", "if error is None:"),
    ),
)  # fmt: skip

_MEMBERSHIP = (
    _guard(
        "a partition that was given back is not committed any more",
        PARTITIONS, "self._forget(p.partition)",
        ("self._forget(p.partition)", "pass"),
    ),
    _guard(
        "the membership that a commit names is that of the last rebalance",
        PARTITIONS, "self._read_generation(consumer)\n        for p in partitions:",
        ("self._read_generation(consumer)\n        for p in partitions:", "for p in partitions:"),
        given={"stalls": 0.03}, start=10, stop=4, rare=True,
    ),
    _guard(
        "a member that was thrown out has no membership",
        PARTITIONS, "self.generation = metadata if consumer.memberid() else None",
        ("metadata if consumer.memberid() else None", "metadata"),
        pause=10, resume=10,
        rare=True,
    ),
    _guard(
        "a partition whose consumer cannot go back is opened again",
        PARTITIONS, 'log.warning("partition %d: no fetching from %d: %s", partition, offset, error)',
        ("self.reopen(partition)\n", "pass\n"),
        given={"faults": 0.06}, rare=True,
    ),
    _guard(
        "a pause does not outlive its reason",
        PARTITIONS, "self._consumer.resume([where])",
        ("self._consumer.resume([where])", "pass"),
    ),
    _guard(
        "the store knows where it goes on from its opening",
        PARTITIONS, "recovered.store.write((), recovered.positions)",
        ("recovered.store.write((), recovered.positions)", "pass"),
        rare=True,
    ),
    _guard(
        "the store of a partition that was let go is closed",
        PARTITIONS, "self._to_close.append(task.store)",
        ("self._to_close.append(task.store)", "pass"),
    ),
    _guard(
        "the store of a partition that was let go before it was claimed is closed",
        PARTITIONS, "self._to_close.append(opening.recovered.store)",
        ("self._to_close.append(opening.recovered.store)", "pass"),
    ),
    _guard(
        "an opening that failed is tried again",
        PARTITIONS, 'log.warning("partition %d: %s; trying again", partition, error)',
        ("self.reopen(partition, after_s=RETRY_S)", "raise"),
    ),
    _guard(
        "a store that is found damaged while it is opened is restored",
        PARTITIONS, "self.restore(partition, error)",
        ("self.restore(partition, error)", "raise"),
    ),
    _guard("a member that was fenced joins again", WORKER, "self._rejoin(error)", ("self._rejoin(error)", "pass")),
    _guard(
        "a member with a rival gives up",
        WORKER, "raise Fenced(",
        ("if now < self._fenced_at + RIVAL_S:", "if False:"),
    ),
    _guard(
        "a partition is opened again when its position is not in the log any more",
        WORKER, "self._partitions.reopen(message.partition())",
        "pass",
    ),
)  # fmt: skip

_RECOVERY = (
    _guard(
        "a damaged store is not used",
        RECOVERY, "self._stores.clear(partition)\n        store = yield from",
        ("self._stores.clear(partition)\n        store = yield from", "pass\n        store = yield from"),
        ('log.error("%s", error)', "raise"),
    ),
    _guard(
        "what an open transaction may change or add is waited for",
        RECOVERY, "yield RETRY_S\n\n    def _output_is_open",
        ("if not offset.pending and not self._output_is_open(partition):", "if True:"),
        stop=6, start=10,
    ),
    _guard(
        "a state topic from which states were deleted that the store has not read is refused",
        RECOVERY, 'raise OffsetMismatch(\n                f"{self._config.topics.state}[{partition}] begins at',
        ("if positions.state < state_log.start:", "if False:"),
    ),
    _guard(
        "a store that missed tombstones is restored",
        RECOVERY, 'return f"the store was last level',
        ("if away > self._config.tombstones_live_s / 2:", "if False:"),
        sleep=4,
        rare=True,
    ),
    _guard(
        "a store is level with the state topic before it is used",
        RECOVERY, "restored = 0\n",
        ("return positions, restored\n        known", "return positions, restored\n        return Positions(positions.input, state_log.end, positions.level_at), 0\n        known"),
    ),
    _guard(
        "a group without offsets goes on behind the last event that a state knows",
        RECOVERY, "where = events.start if known is None else known",
        ("where = events.start if known is None else known", "where = events.start"),
        start=2, stop=6, lose_group_offsets=8,
    ),
    _guard(
        "restored states tell how far the log was judged",
        RECOVERY, "known, last_run = greatest + 1, messages",
        ("known, last_run = greatest + 1, messages", "_, last_run = greatest + 1, messages"),
        start=2, stop=6, lose_group_offsets=8, delete_directory=6,
    ),
    _guard(
        "a group that was set back is refused",
        RECOVERY, 'raise OffsetMismatch(\n                f"{topic}[{partition}]: the group\'s offset is',
        ("        if _is_ahead(positions, committed):", "        if False:"),
        rare=True,
    ),
    _guard(
        "a store that is ahead of the group is checked against the state topic",
        RECOVERY, 'reason = f"it goes up to event',
        ("if not _is_ahead(positions, committed):", "if True:"),
        rare=True,
    ),
    _guard(
        "a position outside the log is refused",
        RECOVERY, 'raise OffsetMismatch(\n                f"{topic}[{partition}]: the position is',
        ("if not events.start <= where <= events.end:", "if False:"),
    ),
    _guard(
        "a state topic that has less than the store is refused",
        RECOVERY, 'raise OffsetMismatch(\n                    f"{topic}[{partition}] ends at',
        ("if positions is None or positions.state <= found.end:", "if True:"),
    ),
    _guard(
        "a state topic that has lost all is refused",
        RECOVERY, 'raise OffsetMismatch(\n                f"{topics.state}[{partition}] is empty',
        ("if self._kafka.log_ranges(topics.rejections, [partition])[partition].end == 0:", "if False:"),
        rare=True,
    ),
)  # fmt: skip

SAFEGUARDS = _COMMITTING + _JUDGING + _TRANSACTIONS + _MEMBERSHIP + _RECOVERY
