"""The demo: a file of events through a real Kafka, with the commands that anybody would type."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec

from ..errors import BadInput, Configuration, Different
from ..kafka.cluster import Cluster
from ..kafka.topics import TopicSet
from ..settings import PROGRAM, Settings
from .broker import LocalBroker
from .commands import CommandFailed, Commands
from .expected import differences, expected_states

SHOWN = 8  # of many runs, rejections or differences: what fits on a screen with the rest


def run_demo(
    file: Path | None = None,
    settings: Settings | None = None,
    *,
    keep: bool = False,
) -> int:
    """Publish the events of a file, fold them, show what came out, and verify it. Returns the exit code.

    file: JSON lines, plain or .gz; None for the sample that comes with the package.
    settings: of all commands. Topics, group and state directory are the demo's own nevertheless, and where no address
        is given Kafka is the local broker, which is stopped at the end if it did not run before.
    keep: leave the broker, the topics and the worker's store as they are at the end.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    events = file or sample()
    if not events.is_file():
        raise Configuration(f"{events} is no file; expected events as JSON lines, plain or .gz")
    with ExitStack() as cleaning:
        settings = settings or Settings()
        bootstrap = settings.bootstrap_servers or _local_broker(cleaning, keep=keep)
        topics = TopicSet(f"demo-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}")
        settings = msgspec.structs.replace(
            settings, bootstrap_servers=bootstrap, topic_prefix=topics.prefix, group=f"{topics.prefix}.processor",
            state_dir=Path(tempfile.mkdtemp(prefix=f"{PROGRAM}-")),
        )  # fmt: skip
        if not keep:
            cleaning.callback(shutil.rmtree, settings.state_dir)
        cluster = Cluster(bootstrap, topics, settings.group, "demo", properties=settings.properties)
        commands = Commands(cluster, settings)
        if not keep:
            cleaning.callback(_delete_topics, cluster)
        try:
            return _demo(events, commands)
        except CommandFailed as failed:
            return failed.exit_code


def _demo(events: Path, commands: Commands) -> int:
    commands.run("topics", "create")
    published = commands.run("publish", str(events), tolerated=BadInput.exit_code)
    commands.fold()
    states = {state["id"]: state for state in commands.read("list")}
    _say_counts("runs", Counter(state["status"] for state in states.values()))
    commands.run("list", "--limit", str(SHOWN))
    rejections = commands.read("rejections", "list")
    _say_counts("rejections", Counter(rejection["code"] for rejection in rejections))
    for rejection in rejections[:SHOWN]:
        print(f"  {rejection['code']}: {rejection['detail']!r}")
    commands.run("verify")
    return _compare(events, states) or published


def _compare(events: Path, states: Mapping[str, Any]) -> int:
    expected = expected_states(events)
    if not expected:
        return 0
    found = sorted(differences(expected[1], states))
    print(f"compared with {expected[0]}: {len(states):,} runs, {len(found):,} differences")
    for line in found[:SHOWN]:
        print(f"  {line}")
    return Different.exit_code if found else 0


def _local_broker(cleaning: ExitStack, *, keep: bool) -> str:
    broker = LocalBroker()
    ran_before = broker.status().running
    began = time.monotonic()
    if not ran_before and not keep:
        cleaning.callback(_stop, broker)
    bootstrap = broker.start()
    how = "runs already" if ran_before else f"started in {time.monotonic() - began:.1f} s"
    print(f"Apache Kafka at {bootstrap} {how}, data in {broker.directory}", flush=True)
    return bootstrap


def _stop(broker: LocalBroker) -> None:
    print("\nstopping the broker", flush=True)
    broker.stop()


def _delete_topics(cluster: Cluster) -> None:
    prefix = f"{cluster.topics.prefix}."
    names = [name for name in cluster.admin.client.list_topics(timeout=10).topics if name.startswith(prefix)]
    for future in cluster.admin.client.delete_topics(names).values() if names else ():
        future.result()


def sample() -> Path:
    """In the installed package, else in the checkout (an editable install)."""
    installed = Path(__file__).with_name("sample.jsonl")
    return installed if installed.exists() else Path(__file__).parents[3] / "tests" / "data" / "sample.jsonl"


def _say_counts(what: str, counts: Counter[str]) -> None:
    parts = ", ".join(f"{count:,} {name}" for name, count in counts.most_common())
    print(f"{counts.total():,} {what}{f': {parts}' if parts else ''}")


def _interrupt(_signum: int, _frame: FrameType | None) -> None:
    """As after Ctrl-C, the broker is stopped before this program ends."""
    raise KeyboardInterrupt
