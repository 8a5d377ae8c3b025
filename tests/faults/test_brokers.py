"""Three brokers, replication 3, min.insync.replicas 2, of which one is away. The soak does these too, and more of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster import KafkaCluster
from tests.faults.scene import scene

RECOVERY_S = 90.0
"""Leaders move in 3 s; a worker whose producer is stuck gives it up after 12 s, and may meet that more than once."""


def test_workers_go_on_while_a_broker_is_dead_and_when_it_is_back(
    three_brokers: KafkaCluster, topic_prefix: str, tmp_path: Path
) -> None:
    with scene(three_brokers, topic_prefix, tmp_path) as work:
        work.goes_on()
        three_brokers.kill(0)
        took = work.goes_on(RECOVERY_S)
        print(f"\none of three brokers killed: going on after {took:.1f} s", end=" ")
        three_brokers.start(0)
        work.goes_on(RECOVERY_S)
        work.ended()


@pytest.mark.long
def test_workers_go_on_while_all_brokers_are_restarted_in_turn(
    three_brokers: KafkaCluster, topic_prefix: str, tmp_path: Path
) -> None:
    with scene(three_brokers, topic_prefix, tmp_path) as work:
        work.goes_on()
        for number in range(3):
            three_brokers.kill(number)
            three_brokers.start(number)
            three_brokers.wait_in_sync()
        work.goes_on(RECOVERY_S)
        work.ended()


@pytest.mark.long
def test_workers_go_on_while_a_broker_hangs_and_when_it_wakes(
    three_brokers: KafkaCluster, topic_prefix: str, tmp_path: Path
) -> None:
    """Its connections stay open, and nothing comes over them."""
    with scene(three_brokers, topic_prefix, tmp_path) as work:
        work.goes_on()
        three_brokers.pause(1)
        took = work.goes_on(RECOVERY_S)
        print(f"\none of three brokers frozen: going on after {took:.1f} s", end=" ")
        three_brokers.resume(1)
        work.goes_on(RECOVERY_S)
        work.ended()
