"""The engine with one safeguard taken out, each by the fault that it guards against; see mutations.py."""

from __future__ import annotations

from typing import NamedTuple


class Mutant(NamedTuple):
    """A safeguard's place in the code, what stands there without it, and the test that has to find out.

    file: of the package; old occurs in it once. test: as pytest names it, under tests/faults. minutes: of a test that
    takes about two or more, and is run only when its mutant is named; 0 of all others.
    """

    name: str
    file: str
    old: str
    new: str
    test: str
    minutes: int = 0


_KILLED_COMMIT = (
    "test_commit.py::test_a_worker_killed_at_a_step_of_its_commit_goes_on_at_once_and_without_a_wipe[{}]".format
)
_DEAD_WORKER = (
    "test_open_transactions.py::test_a_dead_workers_transaction_is_ended_by_its_successor_and_nothing_is_lost"
)
_DEAD_BROKER = "test_brokers.py::test_workers_go_on_while_a_broker_is_dead_and_when_it_is_back"
_FROZEN_BROKER = "test_brokers.py::test_workers_go_on_while_a_broker_hangs_and_when_it_wakes"
_ROLLED_BROKERS = "test_brokers.py::test_workers_go_on_while_all_brokers_are_restarted_in_turn"
_TRIMMED = "test_log_start.py::test_events_trimmed_before_a_running_worker_has_judged_them_stop_it_with_exit_code_8_until_the_group_is_set"
_ZOMBIE = "test_zombies.py::test_nothing_of_a_zombie_is_seen_and_it_shares_the_work_again[{}]".format
_COMING_AND_GOING = "test_rebalances.py::test_workers_come_and_go_under_load_and_every_event_is_judged_once[{}]".format
_DAMAGED = "test_stores.py::test_a_damaged_store_is_moved_aside_told_of_and_restored[{}]".format
_FULL_DISK = (
    "test_full_disk.py::"
    "test_a_worker_whose_disk_is_filled_by_others_stops_with_exit_code_5_and_goes_on_when_there_is_space"
)
_REJECTIONS = (
    "test_rejections.py::test_rejections_in_a_row_take_no_more_memory_or_time_and_a_good_event_is_applied_at_once[{}]"
).format
_THRICE = "test_repeated_input.py::test_runs_of_an_sdk_published_three_times_are_those_of_once_and_nothing_is_rejected"
_HELD_UP = "test_memory.py::test_a_worker_whose_transactions_do_not_end_takes_in_no_more_than_its_memory"
_CATCHING_UP = "test_memory.py::test_a_worker_that_catches_up_stays_below_its_memory[events of 7 MB]"

_COMMITS = (
    Mutant(
        "the store is written before the commit",
        "engine/commits.py",
        "        try:\n            pending = self._transactions.run(",
        "        for p, task in tasks.items():\n"
        '            self._write(p, task.position, ((r.key or b"", r.value) for r in task.states()), {})\n'
        "        try:\n            pending = self._transactions.run(",
        _KILLED_COMMIT("offsets-sent"),
    ),
    Mutant(
        "what was committed and not stored is not read back",
        "engine/recovery.py",
        "if positions.state >= state_log.end:",
        "if positions.state >= 0:",
        _KILLED_COMMIT("committed"),
    ),
    Mutant(
        "offsets are committed outside the transaction",
        "engine/transaction.py",
        "            if positions:\n",
        "            if positions and False:\n",
        _KILLED_COMMIT("committed"),
    ),
)

_OPEN_TRANSACTIONS = (
    Mutant(
        "a dead owner's transaction is left open",
        "engine/recovery.py",
        "settle(self._kafka, owner, self._clock)\n",
        "pass\n",
        _DEAD_WORKER,
    ),
    Mutant(
        "offsets do not tell whose they are",
        "engine/transaction.py",
        "TopicPartition(source, p, o, self.transactional_id)",
        "TopicPartition(source, p, o)",
        _DEAD_WORKER,
    ),
    Mutant(
        "open transactions are not looked for",
        "engine/recovery.py",
        "if not offset.pending and not self._output_is_open(partition):",
        "if offset:",
        _DEAD_WORKER,
    ),
    Mutant(
        "events are read before they are committed",
        "kafka/properties.py",
        '"isolation.level": "read_committed",',
        '"isolation.level": "read_uncommitted",',
        "test_open_transactions.py::"
        "test_events_behind_a_dead_publishers_transaction_wait_for_its_end_and_none_of_its_own_counts",
    ),
)

_BROKERS = (
    Mutant(
        "topics have one replica",
        "kafka/topics.py",
        "replicas = replication or min(DEFAULT_REPLICATION, admin.brokers)",
        "replicas = replication or 1",
        _DEAD_BROKER,
        minutes=3,
    ),
    Mutant(
        "topics have one replica, and its broker hangs",
        "kafka/topics.py",
        "replicas = replication or min(DEFAULT_REPLICATION, admin.brokers)",
        "replicas = replication or 1",
        _FROZEN_BROKER,
        minutes=3,
    ),
    Mutant(
        "a partition whose leader does not answer is not asked who leads it now",
        "kafka/offsets.py",
        "            known = consumer.list_topics(partition.topic, timeout=TIMEOUT_S).topics[partition.topic]\n"
        "            if partition.partition not in known.partitions and known.error is None:\n"
        "                raise\n",
        "",
        _DEAD_BROKER,
        minutes=2,
    ),
    Mutant(
        "an opening that failed is not tried again, of brokers that are restarted",
        "engine/partitions.py",
        'log.warning("partition %d: %s; trying again", partition, error)\n'
        "            self.reopen(partition, after_s=RETRY_S)",
        "raise",
        _ROLLED_BROKERS,
        minutes=3,
    ),
)

_NETWORK = (
    Mutant(
        "after an abort the consumer does not go back",
        "engine/commits.py",
        "            self._partitions.fetch_from(p, task.rollback())",
        "            task.rollback()",
        "test_network.py::test_workers_go_on_after_the_transaction_coordinator_alone_was_out_of_reach",
    ),
    Mutant(
        "a transactional call is waited for without end",
        "kafka/transactional.py",
        "if call.is_over(timeout_s + GRACE_S):",
        "if call.is_over(3600):",
        "test_network.py::"
        "test_workers_go_on_after_they_sent_offsets_over_a_connection_that_broke_off_and_was_not_made_again_for_long",
    ),
)

_TWO_OF_ONE_NAME = (
    Mutant(
        "who is thrown out of the group does not mind",
        "engine/worker.py",
        "if now < self._fenced_at + RIVAL_S:",
        "if now < self._fenced_at:",
        "test_identity.py::test_of_two_workers_with_one_identity_and_one_directory_one_ends_with_exit_code_11",
    ),
    Mutant(
        "a store that is open elsewhere cannot be used",
        "store/rocks_failures.py",
        "if any(sign in text for sign in _LOCKED):",
        "if text is None:",
        "test_stores.py::test_a_store_that_another_process_has_open_is_waited_for_and_the_other_partitions_go_on",
    ),
)

_ZOMBIES = (
    Mutant(
        "what a zombie had open is not fenced",
        "engine/recovery.py",
        "settle(self._kafka, owner, self._clock)\n",
        "pass\n",
        _ZOMBIE("flushed"),
    ),
    Mutant(
        "what others have by now is not let go of",
        "engine/partitions.py",
        '        """Somebody else has them already: what is uncommitted is forgotten."""\n'
        "        self._let_go(consumer, partitions)\n",
        '        """Somebody else has them already: what is uncommitted is forgotten."""\n',
        _ZOMBIE("committed"),
    ),
)

_LOG_START = (
    Mutant(
        "a position outside the log is not refused",
        "engine/recovery.py",
        "if not events.start <= where <= events.end:",
        "if not events.start <= where <= events.end and False:",
        _TRIMMED,
    ),
    Mutant(
        "events that are gone are skipped",
        "kafka/properties.py",
        '"auto.offset.reset": "error",',
        '"auto.offset.reset": "earliest",',
        _TRIMMED,
    ),
    Mutant(
        "a partition whose position is gone is not opened again",
        "engine/worker.py",
        "self._partitions.reopen(message.partition())",
        "pass",
        _TRIMMED,
    ),
    Mutant(
        "states that were deleted before the store has read them are not missed",
        "engine/recovery.py",
        "if positions.state < state_log.start:",
        "if positions.state < 0:",
        "test_log_start.py::"
        "test_a_store_that_has_not_read_what_was_deleted_from_the_state_topic_is_kept_until_somebody_decides",
    ),
)

_TOPICS_GONE = (
    Mutant(
        "a topic that is deleted is not missed",
        "engine/same_topics.py",
        "for name in sorted(missing & self._missing):",
        "for name in ():",
        "test_topics_gone.py::test_an_idle_worker_stops_when_one_of_its_topics_is_deleted[events]",
    ),
    Mutant(
        "a topic that is made anew is taken for the old one",
        "engine/same_topics.py",
        "self._known.setdefault(name, topic_id) != topic_id",
        "self._known.setdefault(name, topic_id) is None",
        "test_topics_gone.py::test_an_idle_worker_stops_when_one_of_its_topics_is_made_anew[checkpoints]",
    ),
    Mutant(
        "a store takes what another state topic has",
        "engine/commits.py",
        "if state_end is not None and state_end <= before.state:",
        "if state_end is not None and state_end < 0:",
        "test_topics_gone.py::"
        "test_a_state_topic_made_anew_under_a_busy_worker_stops_it_before_its_store_and_the_log_rebuilds_all",
    ),
    Mutant(
        "a state topic that was truncated is taken as it is",
        "engine/recovery.py",
        "if positions is None or positions.state <= found.end:",
        "if found:",
        "test_topics_gone.py::"
        "test_a_state_topic_made_anew_under_a_busy_worker_stops_it_before_its_store_and_the_log_rebuilds_all",
    ),
    Mutant(
        "an event log that was made anew is told by its offsets alone",
        "engine/recovery.py",
        "                yield from self._refuse_other_events(partition, known - 1, last_run, reader)\n",
        "                pass\n",
        "test_topics_gone.py::"
        "test_an_event_log_made_anew_that_has_outgrown_the_old_one_is_refused_by_a_worker_without_a_store",
    ),
)

_STORES = (
    Mutant(
        "whatever RocksDB cannot write is damage",
        "store/rocks_failures.py",
        'if text.startswith("Corruption:") or',
        'if text.startswith(("Corruption:", "IO error:")) or',
        _FULL_DISK,
    ),
    Mutant(
        "a full disk is not told of",
        "store/rocks_failures.py",
        "if os.strerror(errno.ENOSPC) in text:",
        "if text is None:",
        _FULL_DISK,
    ),
    Mutant(
        "a manifest that is missing is no damage",
        "store/rocks_failures.py",
        'text.startswith("Corruption:") or _MANIFEST_IS_MISSING(text)',
        'text.startswith("Corruption:")',
        _DAMAGED("MANIFEST is missing"),
    ),
    Mutant(
        "a store that is found damaged at work is not restored",
        "engine/worker.py",
        "                self._partitions.restore(partition, error)\n",
        "                raise\n",
        _DAMAGED("a table has other bits"),
    ),
    Mutant(
        "a damaged store is not moved aside",
        "store/rocks.py",
        "        if path in self._damaged:\n",
        "        if path is None:\n",
        _DAMAGED("a table has other bits"),
    ),
)

_CLOCKS = (
    Mutant(
        "a store that was noted in the future is trusted",
        "engine/recovery.py",
        "if away < -CLOCKS_DIFFER_S:",
        "if away is None:",
        "test_clocks.py::test_a_store_whose_age_is_too_high_or_lies_in_the_future_is_restored_cold",
    ),
    Mutant(
        "topics have their publishers' clocks",
        "kafka/topic_settings.py",
        'Setting("message.timestamp.type", "LogAppendTime", "free")',
        'Setting("message.timestamp.type", "CreateTime", "free")',
        "test_clocks.py::test_events_of_publishers_whose_clocks_are_wrong_are_judged_as_they_come",
    ),
    Mutant(
        "intervals are measured by the wall clock",
        "engine/clock.py",
        "    monotonic = staticmethod(time.monotonic)\n",
        "    def monotonic(self) -> float:\n        return self.time()\n\n",
        "test_clocks.py::test_what_a_worker_does_from_time_to_time_goes_on_when_its_wall_clock_is_set_back",
    ),
)

_REBALANCES = (
    Mutant(
        "a store that was away is not brought level",
        "engine/recovery.py",
        "if positions.state >= state_log.end:",
        "if positions.state >= 0:",
        _COMING_AND_GOING("8"),
    ),
    Mutant(
        "what was given back is not let go of",
        "engine/partitions.py",
        "            self._forget(p.partition)\n",
        "            pass\n",
        "test_stores.py::test_two_workers_on_one_directory_hand_the_stores_over_and_are_warm",
    ),
    Mutant(
        "a store that was away is not brought level, in 50 rebalances",
        "engine/recovery.py",
        "if positions.state >= state_log.end:",
        "if positions.state >= 0:",
        _COMING_AND_GOING("50"),
        minutes=3,
    ),
)

_TOMBSTONES = (
    Mutant(
        "a store that may have missed tombstones is used",
        "engine/recovery.py",
        "if away > self._config.tombstones_live_s / 2:",
        "if away is None:",
        "test_tombstones.py::test_a_run_that_was_deleted_and_compacted_away_while_a_store_was_offline_does_not_live_on",
    ),
)

_INPUT = (
    Mutant(
        "an event that a run remembers is judged again",
        "model/fold.py",
        'if state is not None and remembers(state["recent_event_ids"], short):',
        "if state is not None and not short:",
        _THRICE,
    ),
    Mutant(
        "an attempt that is over is judged again",
        "model/fold.py",
        'if attempt is not None and step is not None and attempt <= step["attempt"]:',
        'if attempt is not None and step is not None and attempt < step["attempt"]:',
        _THRICE,
    ),
    Mutant(
        "rejections alone are not committed",
        "engine/task.py",
        "return self.position != self.committed\n",
        "return bool(self._changed)\n",
        _REJECTIONS("20000"),
    ),
    Mutant(
        "rejections that were committed are kept",
        "engine/task.py",
        "        self._rejections.clear()\n",
        "",
        _REJECTIONS("20000"),
    ),
    Mutant(
        "a rejection is as large as its event",
        "engine/outputs.py",
        'if len(key or b"") + len(value or b"") > MAX_REJECTION_BYTES:',
        "if value is None:",
        "test_rejections.py::"
        "test_bodies_that_no_topic_takes_are_left_out_of_their_rejections_with_their_hash_and_the_good_ones_go_on",
    ),
)

_MEMORY = (
    Mutant(
        "the consumer's queue is not bounded",
        "kafka/properties.py",
        '"queued.max.messages.kbytes": size // 1024',
        '"queued.max.messages.kbytes": 2_000_000',
        _HELD_UP,
    ),
    Mutant(
        "what is judged for one transaction is not bounded",
        "engine/partitions.py",
        "return sum(uncommitted) < self._config.uncommitted_bytes",
        "return sum(uncommitted) >= 0",
        _CATCHING_UP,
    ),
    Mutant(
        "a publisher's queue is not bounded",
        "client/transport.py",
        '"queue.buffering.max.kbytes": 65_536',
        '"queue.buffering.max.kbytes": 2_000_000',
        "test_memory.py::test_a_publisher_whose_broker_is_gone_waits_with_a_full_queue_and_is_then_told",
    ),
)

MUTANTS = (
    *_COMMITS, *_OPEN_TRANSACTIONS, *_BROKERS, *_NETWORK, *_TWO_OF_ONE_NAME, *_ZOMBIES, *_LOG_START, *_TOPICS_GONE,
    *_STORES, *_CLOCKS, *_REBALANCES, *_TOMBSTONES, *_INPUT, *_MEMORY,
)  # fmt: skip
