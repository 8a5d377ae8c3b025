"""Each rule of the design's sections 4 and 5 is needed: with the rule taken out, some schedule fails.

A rule is taken out at the engine's ports, by giving it clients that behave as if the engine did not keep it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import KafkaException, TopicPartition

from llm_orchestrator_state.errors import OffsetMismatch
from llm_orchestrator_state.kafka.interface import GroupOffset, LogRange
from tests.simulation.clients import SimKafka
from tests.simulation.consumer import SimConsumer
from tests.simulation.invariants import Violation
from tests.simulation.producer import COMMITTING, READY, SimProducer
from tests.simulation.schedule import run_schedule
from tests.simulation.store import SimStore

MOST_SCHEDULES = 3_000
"""Within which a missing rule must be found out."""


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def failure_without_the_rule(taken_out: pytest.MonkeyPatch, **emphasis: float) -> Exception:
    """Of the first schedule that fails, which must pass when the rule is back."""
    for seed in range(MOST_SCHEDULES):
        try:
            run_schedule(seed, emphasis=emphasis)
        except (Violation, OffsetMismatch) as failure:
            taken_out.undo()
            run_schedule(seed, emphasis=emphasis)
            return failure
    pytest.fail(f"{MOST_SCHEDULES} schedules pass without the rule")


def wrap(monkeypatch: pytest.MonkeyPatch, owner: type, name: str, make: Callable[[Any], Any]) -> None:
    monkeypatch.setattr(owner, name, make(getattr(owner, name)))


def test_records_are_lost_when_an_abort_is_not_followed_by_a_seek(monkeypatch: pytest.MonkeyPatch) -> None:
    def forward_only(seek: Any) -> Any:
        def wrapped(self: SimConsumer, to: TopicPartition) -> None:
            if (self.fetches[to.partition].position or 0) <= to.offset:
                seek(self, to)

        return wrapped

    wrap(monkeypatch, SimConsumer, "seek", forward_only)
    failure_without_the_rule(monkeypatch)


def test_events_are_judged_twice_or_never_when_a_commit_of_unknown_outcome_is_taken_for_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def hopeful(commit: Any) -> Any:
        def wrapped(self: SimProducer, timeout: float) -> None:
            try:
                commit(self, timeout)
            except KafkaException:
                if self._state != COMMITTING:
                    raise
                self._state = READY

        return wrapped

    wrap(monkeypatch, SimProducer, "commit_transaction", hopeful)
    failure_without_the_rule(monkeypatch)


def test_a_member_stays_in_the_group_when_it_only_closes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SimConsumer, "unsubscribe", lambda self: None)
    assert "still in the group" in str(failure_without_the_rule(monkeypatch))


def test_a_new_owner_goes_wrong_when_it_does_not_wait_for_an_open_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    def never_pending(ask: Any) -> Any:
        def wrapped(self: SimKafka, partitions: Any) -> dict[int, GroupOffset]:
            return {p: offset._replace(pending=False) for p, offset in ask(self, partitions).items()}

        return wrapped

    def as_if_all_were_stable(ask: Any) -> Any:
        def wrapped(self: SimKafka, topic: str, partitions: Any) -> dict[int, LogRange]:
            return {p: log._replace(end=log.stable) for p, log in ask(self, topic, partitions).items()}

        return wrapped

    wrap(monkeypatch, SimKafka, "group_offsets", never_pending)
    wrap(monkeypatch, SimKafka, "log_ranges", as_if_all_were_stable)
    failure_without_the_rule(monkeypatch, stop=6, start=10)


def test_two_owners_both_commit_when_the_metadata_is_read_at_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    def with_fresh_metadata(send: Any) -> Any:
        def wrapped(self: SimProducer, positions: Any, metadata: object, timeout: float) -> None:
            process = next(p for p in self._cluster.processes if p.faults is self._faults)
            if process.consumers:
                membership = process.consumers[0].membership
                membership.run(self._cluster.clock.now)
                metadata = membership.metadata()
            send(self, positions, metadata, timeout)

        return wrapped

    wrap(monkeypatch, SimProducer, "send_offsets_to_transaction", with_fresh_metadata)
    failure_without_the_rule(monkeypatch, pause=25, resume=25, start=6, restart=4)


def test_a_deleted_run_lives_on_when_an_old_store_is_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.simulation.engine.DELETE_RETENTION_S", 1e12)
    failure_without_the_rule(monkeypatch, sleep=4)


def test_states_are_missing_when_a_lost_write_is_taken_for_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def from_the_log_alone(positions: Any) -> Any:
        def wrapped(self: SimStore) -> Any:
            found = positions(self)
            log = self._process.cluster.logs("state")[self.partition]
            return found._replace(state=log.end) if found is not None else None

        return wrapped

    wrap(monkeypatch, SimStore, "positions", from_the_log_alone)
    failure_without_the_rule(monkeypatch)
