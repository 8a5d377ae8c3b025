from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest

from llm_orchestrator_state.cli.main import run
from llm_orchestrator_state.kafka.topics import create
from llm_orchestrator_state.store.rocks import RocksStores
from tests.integration.harness import Stage, event, until
from tests.integration.reading import reader, settled


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path / "cache" / "llm-orchestrator-state" / "runs"


def listed(stage: Stage, capfd: pytest.CaptureFixture[str], *words: str) -> set[str]:
    flags = ["--bootstrap-servers", stage.bootstrap, "--topic-prefix", stage.topics.prefix]
    capfd.readouterr()
    assert run([*flags, "list", "--json", *words]) == 0
    return {json.loads(line)["id"] for line in capfd.readouterr().out.splitlines()}


def test_list_reads_only_what_its_cache_does_not_have(
    stage: Stage, cache: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    old, new, only_cached = (str(uuid.uuid4()) for _ in range(3))
    stage.publish(event(old, "workflow_created"))
    stage.run_to_end()
    settled(stage)
    assert listed(stage, capfd, "--no-cache") == {old}
    assert not cache.exists()
    assert listed(stage, capfd) == {old}
    topic = stage.log.admin.topics([stage.topics.state])[stage.topics.state]
    assert topic is not None
    directory = cache / stage.log.admin.cluster_id
    stores = RocksStores(directory, stage.topics.state, ("reader", stage.log.admin.cluster_id, topic.topic_id))
    store = stores.open(0)
    at = store.positions()
    assert at is not None
    state = {**stage.codec.decode_state(stage.records("state", _home(stage, old))[-1].value()), "id": only_cached}
    store.write([(only_cached.encode(), stage.codec.encode_state(state))], at)  # type: ignore[arg-type]
    store.close()
    stage.publish(event(new, "workflow_created", 1))
    stage.run_to_end()
    settled(stage)
    assert listed(stage, capfd) == {old, new, only_cached}
    assert listed(stage, capfd, "--no-cache") == {old, new}
    with reader(stage, directory=directory) as runs:
        runs.ready()
        assert listed(stage, capfd) == {old, new}, "a cache that is in use is done without"


def test_a_list_has_the_runs_with_all_labels_asked_for(
    stage: Stage, cache: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    both, one = str(uuid.uuid4()), str(uuid.uuid4())
    stage.publish(
        event(both, "workflow_created", labels={"team": "a", "formula": "x=y"}),
        event(one, "workflow_created", labels={"team": "a"}),
    )
    stage.run_to_end()
    settled(stage)
    assert listed(stage, capfd, "--label", "team=a") == {both, one}
    assert listed(stage, capfd, "--label", "team=a", "--label", "formula=x=y") == {both}
    assert listed(stage, capfd, "--label", "team=b") == set()


def test_topics_that_were_made_anew_are_not_mixed_with_those_before(
    stage: Stage, cache: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    stage.publish(event(str(uuid.uuid4()), "workflow_created"))
    stage.run_to_end()
    settled(stage)
    assert len(listed(stage, capfd)) == 1
    admin, names = stage.log.admin, list(stage.topics.names().values())
    for future in admin.client.delete_topics(names).values():
        future.result()
    until(lambda: not any(admin.topics(names).values()))
    create(admin, stage.topics, partitions=2)
    assert listed(stage, capfd) == set()
    assert cache.exists()


def _home(stage: Stage, run_id: str) -> int:
    from llm_orchestrator_state.kafka.partitioner import partition_of

    return partition_of(run_id.encode(), len(stage.partitions))
