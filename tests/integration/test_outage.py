"""A broker that goes away under a running worker and comes back."""

from __future__ import annotations

from pathlib import Path

from tests.cluster import KafkaCluster
from tests.integration.agreement import assert_agreement
from tests.integration.harness import Stage, new_runs, step_until


def test_a_worker_goes_on_after_its_only_broker_was_restarted(tmp_path: Path) -> None:
    """librdkafka 2.16 does not return from the first transaction after such an outage for ten minutes."""
    with KafkaCluster(tmp_path / "kafka") as kafka:
        stage = Stage(kafka.bootstrap, "outage", tmp_path)
        with stage.worker() as worker:
            stage.publish(*new_runs(5))
            step_until(worker, lambda: stage.committed() == stage.ends("events"))
            kafka.kill(0)
            worker.step(1.0)
            kafka.start(0)
            stage.publish(*new_runs(5))
            step_until(worker, lambda: stage.committed() == stage.ends("events"), 90)
        assert_agreement(stage, stage.stores())
        stage.close()
