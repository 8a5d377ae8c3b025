"""A network between worker and broker that is cut, slow, or breaks off in the middle of a message."""

from __future__ import annotations

from pathlib import Path

import pytest

from llm_orchestrator_state.engine.transaction import CALL_TIMEOUT_S
from llm_orchestrator_state.kafka.transactional import GRACE_S
from tests.faults import frames
from tests.faults.frames import Way
from tests.faults.proxied import ProxiedCluster
from tests.faults.proxy import BOTH, CALM, Conditions
from tests.faults.scene import scene
from tests.integration.harness import SESSION_S, until

RECOVERY_S = 90.0

TROUBLE = "warning engine.transaction"
"""In a worker's log: a transaction was given up."""

TORN_APIS = {
    "Produce": frames.PRODUCE,
    "AddPartitionsToTxn": frames.ADD_PARTITIONS,
    "TxnOffsetCommit": frames.TXN_OFFSET_COMMIT,
    "EndTxn": frames.END_TXN,
}
"""Of one transaction, in its order."""


def test_workers_go_on_after_a_cut_that_is_longer_than_their_session(
    proxied: ProxiedCluster, topic_prefix: str, tmp_path: Path
) -> None:
    """What they had sent arrives late, after the group has given them up."""
    [network] = proxied.proxies
    with scene(proxied, topic_prefix, tmp_path) as work:
        work.goes_on()
        network.now(Conditions(held=BOTH))
        until(lambda: not work.stage.log.live_transactional_ids(), SESSION_S + 10)
        network.now(CALM)
        took = work.goes_on(RECOVERY_S)
        print(f"\nafter a cut longer than the session: going on after {took:.1f} s", end=" ")
        work.ended()


def test_workers_go_on_over_a_slow_and_unsteady_network(
    proxied: ProxiedCluster, topic_prefix: str, tmp_path: Path
) -> None:
    [network] = proxied.proxies
    network.now(Conditions(latency_s=0.05, jitter_s=0.1))
    with scene(proxied, topic_prefix, tmp_path) as work:
        work.goes_on()
        network.now(CALM)
        work.ended()


@pytest.mark.parametrize("way", Way, ids=lambda way: way.value)
def test_workers_go_on_after_their_connection_broke_off_in_the_middle_of_each_message_of_a_transaction(
    proxied: ProxiedCluster, topic_prefix: str, tmp_path: Path, way: Way
) -> None:
    [network] = proxied.proxies
    with scene(proxied, topic_prefix, tmp_path) as work:
        for name, api in TORN_APIS.items():
            network.tear(way, api)
            assert network.torn(RECOVERY_S), name
            work.goes_on(RECOVERY_S)
        work.ended()


def test_workers_go_on_after_the_transaction_coordinator_alone_was_out_of_reach(
    proxied: ProxiedCluster, topic_prefix: str, tmp_path: Path
) -> None:
    """They stay members of the group, and events keep coming."""
    [network] = proxied.proxies
    with scene(proxied, topic_prefix, tmp_path) as work:
        work.goes_on()
        troubles = work.log().count(TROUBLE)
        network.now(Conditions(held=BOTH, apis=frames.TRANSACTION))
        until(lambda: work.log().count(TROUBLE) > troubles, RECOVERY_S)
        network.now(CALM)
        work.goes_on(RECOVERY_S)
        work.ended()


def test_workers_go_on_after_they_sent_offsets_over_a_connection_that_broke_off_and_was_not_made_again_for_long(
    proxied: ProxiedCluster, topic_prefix: str, tmp_path: Path
) -> None:
    """The transaction coordinator is within reach, and for a connection to the group's librdkafka's call waits whatever
    its time-out (its issue 5456): the worker would wait with it, for as long as no connection can be made.
    """
    [network] = proxied.proxies
    with scene(proxied, topic_prefix, tmp_path) as work:
        work.goes_on()
        troubles = work.log().count(TROUBLE)
        network.now(Conditions(held=frozenset({Way.REQUEST}), apis=frozenset({frames.API_VERSIONS})))
        network.tear(Way.REQUEST, frames.TXN_OFFSET_COMMIT)
        assert network.torn(RECOVERY_S)
        until(lambda: work.log().count(TROUBLE) > troubles, 3 * (CALL_TIMEOUT_S + GRACE_S))
        network.now(CALM)
        work.goes_on(RECOVERY_S)
        work.ended()
