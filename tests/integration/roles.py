"""The work of each role, done as one user of a secured broker: every piece by its name."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition

from llm_orchestrator_state import AsyncPublisher, KafkaStateStore, Publisher, StateReader
from llm_orchestrator_state.cli.main import run
from llm_orchestrator_state.engine.clock import SystemClock
from llm_orchestrator_state.engine.worker import Worker
from llm_orchestrator_state.errors import StateError
from llm_orchestrator_state.kafka.acls import Role
from llm_orchestrator_state.kafka.cluster import Cluster
from llm_orchestrator_state.kafka.topics import check
from llm_orchestrator_state.model import WorkflowState
from llm_orchestrator_state.model.records import EventRecord
from tests.integration.harness import DEADLINE_S, SESSION_S, Stage, event, new_runs, step_until, whole_run
from tests.integration.reading import delivered
from tests.integration.secured import User

PATIENCE_S = 20.0
"""librdkafka tells a reader after 10 s that it may not ask the group."""


class Site:
    """One user at work on a stage, whose own clients may do everything."""

    def __init__(self, stage: Stage, user: User, capfd: pytest.CaptureFixture[str]) -> None:
        self.stage = stage
        self.user = user
        self._capfd = capfd

    @property
    def given(self) -> dict[str, Any]:
        """What every client takes."""
        return {
            "bootstrap_servers": self.user.bootstrap,
            "topic_prefix": self.stage.topics.prefix,
            "properties": self.user.properties,
        }

    def command(self, *words: str) -> str:
        """stdout of a command. Raises StateError with its last words when it fails."""
        pairs = [word for name, value in self.user.properties.items() for word in ("-X", f"{name}={value}")]
        places = ["--bootstrap-servers", self.user.bootstrap, "--topic-prefix", self.stage.topics.prefix]
        self._capfd.readouterr()
        code = run([*places, *pairs, *words])
        out, err = self._capfd.readouterr()
        if code:
            raise StateError(err)
        return out

    def one_run(self) -> str:
        """Of those that are there."""
        return str(json.loads(self.command("list", "--json", "--limit", "1"))["id"])

    @contextmanager
    def worker(self, instance: str = "w0") -> Iterator[Worker]:
        """Begins as the command does: with a look at the topics."""
        topics = self.stage.topics
        cluster = Cluster(
            self.user.bootstrap, topics, f"{topics.prefix}.processor", instance, session_timeout_s=SESSION_S,
            properties=self.user.properties,
        )  # fmt: skip
        check(cluster.admin, topics)
        worker = Worker(cluster, self.stage.stores(uuid.uuid4().hex), SystemClock(), self.stage.config(instance))
        try:
            yield worker
        finally:
            worker.close()


Work = Callable[[Site], object]


# --- publisher --------------------------------------------------------------------------------------------------------


def publishes(site: Site) -> None:
    with Publisher(**site.given) as publisher, publisher.workflow("triage") as running, running.step("draft") as step:
        step.outputs = 1


def publishes_from_asyncio(site: Site) -> None:
    async def publish() -> None:
        async with AsyncPublisher(**site.given) as publisher, publisher.workflow("triage"):
            pass

    asyncio.run(publish())


def publishes_lines(site: Site) -> None:
    line = {"run_id": str(uuid.uuid4()), "type": "workflow_created", "occurred_at": "2026-01-05T09:30:00Z",
            "workflow_id": "triage", "workflow_name": "Triage"}  # fmt: skip
    file = site.stage.directory / "events.jsonl"
    file.write_text(json.dumps(line))
    site.command("publish", str(file))


# --- reader -----------------------------------------------------------------------------------------------------------


def reads(site: Site) -> None:
    with StateReader(**site.given) as reader, reader.watch(current=True) as changes:
        change = changes.next(PATIENCE_S)
        assert change
        assert reader.get(change.run_id) == change.state


def reads_checkpoints(site: Site) -> None:
    with StateReader(**site.given, checkpoints=True) as reader:
        assert any(reader.checkpoints(state.id) for state in reader.list())


def learns_what_became_of_events(site: Site) -> None:
    """Of those that were applied, and of one that leaves no trace but the group's position: a duplicate by its attempt."""
    run_id = str(uuid.uuid4())
    begun = [event(run_id, "workflow_created"), event(run_id, "workflow_started", 1)]
    again = [event(run_id, "step_started", 2, step_id="draft", attempt=1) for _ in range(2)]
    with StateReader(**site.given) as reader:
        for each in (*begun, *again):  # each in a commit of its own
            [published] = delivered(site.stage, each)
            state = reader.applied(published, timeout_s=PATIENCE_S)
        assert state is not None
        assert state.version == len(begun) + 1


def learns_of_a_rejection(site: Site) -> None:
    site.command("rejections", "list")
    [first, *_] = site.command("rejections", "list", "--json").splitlines()
    site.command("rejections", "show", json.loads(first)["event_id"])


def shows_runs(site: Site) -> None:
    shown = site.one_run()
    for words in (["get", shown], ["checkpoints", shown], ["list", "--active"]):
        site.command(*words)


# --- processor --------------------------------------------------------------------------------------------------------


def processes(site: Site) -> None:
    """Also what is rejected, and of what a checkpoint is made; and contexts that are out, also those of before."""
    stage = site.stage
    stage.publish(*new_runs(2), event(str(uuid.uuid4()), "workflow_started"), _with_large_context())
    ends = stage.ends("events")
    with site.worker() as worker:
        step_until(worker, lambda: worker.at_end(ends), PATIENCE_S)


def ends_what_a_dead_worker_left(site: Site) -> None:
    stage = site.stage
    dead = f"{stage.topics.transactional_ids}dead"
    producer = Producer({"bootstrap.servers": stage.bootstrap, "transactional.id": dead})
    producer.init_transactions(DEADLINE_S)
    consumer = stage.cluster("dead").group_consumer()
    owned = [TopicPartition(stage.topics.events, p, offset or 0, dead) for p, offset in stage.committed().items()]
    producer.begin_transaction()
    producer.send_offsets_to_transaction(owned, consumer.consumer_group_metadata(), DEADLINE_S)
    producer.commit_transaction(DEADLINE_S)
    producer.begin_transaction()
    producer.produce(stage.topics.state, b"never seen", b"key", 0)
    assert producer.flush(DEADLINE_S) == 0
    consumer.close()
    processes(site)


# --- operator ---------------------------------------------------------------------------------------------------------


def makes_topics(site: Site) -> None:
    """Those that are there are left as they are; what was recorded with them is recorded again."""
    site.command("topics", "create")
    site.command("topics", "describe")


def checks_topics(site: Site) -> None:
    site.command("topics", "check")


def examines(site: Site) -> None:
    """Nothing is left out but what can only be asked without TLS, and the stores of workers elsewhere."""
    found = [json.loads(line) for line in site.command("doctor", "--json").splitlines()]
    left_out = {each["check"]: each["found"] for each in found if each["outcome"] == "skipped"}
    if unexpected := left_out.keys() - {"clock", "stores"}:
        raise StateError(f"{unexpected}: {left_out}")


def looks_after_the_work(site: Site) -> None:
    site.command("status")
    site.command("verify")


def commands_runs(site: Site) -> None:
    created = event(str(uuid.uuid4()), "workflow_created")
    run_id = created["run_id"]
    with StateReader(site.stage.bootstrap, topic_prefix=site.stage.topics.prefix) as reader:
        reader.applied(delivered(site.stage, created)[0], timeout_s=PATIENCE_S)
    for words in (["pause"], ["resume"], ["history"], ["delete", "--yes"]):
        site.command(words[0], run_id, *words[1:])


def repairs_rejections(site: Site) -> None:
    site.command("rejections", "redrive", "--code", "unknown_run", "--yes", "--dry-run")
    site.command("purge", "--older-than", "30d", "--dry-run")


# --- two roles --------------------------------------------------------------------------------------------------------


def keeps_states(site: Site) -> None:
    with KafkaStateStore(**site.given) as store:
        state = WorkflowState.new("order", "Order")
        store.save_workflow_state(state)
        found = store.load_workflow_state(state.id)
        assert found.version == 1


def confirms(site: Site) -> None:
    with StateReader(**site.given) as reader, Publisher(**site.given) as publisher:
        with publisher.workflow("triage") as running:
            running.pause()
            running.confirm(reader)
        state = reader.get(running.run_id)
        assert state
        with publisher.claim(state) as taken:
            taken.confirm(reader)


WORK: Mapping[Role, tuple[Work, ...]] = {
    "publisher": (publishes, publishes_from_asyncio, publishes_lines),
    "reader": (reads, reads_checkpoints, learns_what_became_of_events, learns_of_a_rejection, shows_runs),
    "processor": (processes, ends_what_a_dead_worker_left),
    "operator": (makes_topics, checks_topics, examines, looks_after_the_work, shows_runs, commands_runs,
                 learns_of_a_rejection, repairs_rejections),
}  # fmt: skip

NEEDED_FOR: Mapping[Role, Mapping[tuple[str, str], Work]] = {
    "publisher": {("WRITE", "events"): publishes},
    "reader": {
        ("READ", "state"): reads,
        ("READ", "checkpoints"): reads_checkpoints,
        ("READ", "rejections"): learns_of_a_rejection,
        ("DESCRIBE", "events"): learns_what_became_of_events,
        ("DESCRIBE", "group"): learns_what_became_of_events,
    },
    "processor": {},
    "operator": {
        ("READ", "state"): shows_runs,
        ("READ", "checkpoints"): shows_runs,
        ("READ", "rejections"): learns_of_a_rejection,
        ("READ", "events"): commands_runs,
        ("WRITE", "events"): commands_runs,
        ("DESCRIBE", "group"): looks_after_the_work,
        ("DESCRIBE_CONFIGS", "cluster"): examines,
    },
}
"""By an ACL's operation and its topic, or the kind of its resource: work that cannot be done without it. All that a
processor has is needed for its one work, and what an operator has besides, to check topics."""


def furnish(stage: Stage) -> None:
    """Something to look at: runs with checkpoints, one whose context is out, and a rejection."""
    rejected = event(str(uuid.uuid4()), "workflow_started")
    stage.publish(*whole_run(str(uuid.uuid4())), *new_runs(2), _with_large_context(), rejected)
    stage.run_to_end()


def _with_large_context() -> EventRecord:
    return event(str(uuid.uuid4()), "workflow_created", context={"text": "x" * 20_000})
