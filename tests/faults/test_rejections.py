"""Nothing but bad input, for a long time."""

from __future__ import annotations

import hashlib
import itertools
import random
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from llm_orchestrator_state.engine.outputs import MAX_REJECTION_BYTES
from llm_orchestrator_state.kafka.headers import source_offset
from llm_orchestrator_state.kafka.scan import scan
from tests.faults.proof import assert_nothing_lost
from tests.integration.harness import DEADLINE_S, Stage, event, headers_of, until, whole_run
from tests.integration.processes import Child, Processes

MIB = 1 << 20
PART = 10_000
"""Events that are published and waited for together."""

MOST_MEMORY_MIB = 300
"""Of a worker with the default settings, at any number of rejections; measured: 89 after 20,000, and 99 after 1,000,000."""


def peak_mib(child: Child) -> float:
    """Resident, since its start."""
    for line in Path(f"/proc/{child.process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise AssertionError(child.log)


def rejected_offsets(stage: Stage, partition: int) -> Iterator[int]:
    """Of the events, in the order of the rejections topic: read in parts, for there may be very many."""
    reader = stage.log.reader()
    end = stage.ends("rejections")[partition]
    try:
        for messages, _ in scan(reader, stage.topics.rejections, partition, 0, end, stalled_s=DEADLINE_S):
            yield from (source_offset(message.headers()) for message in messages)
    finally:
        reader.close()


def bad(chance: random.Random, number: int) -> list[tuple[bytes, bytes]]:
    """No events at all, and events of runs that do not exist."""
    return [(str(uuid.UUID(int=chance.getrandbits(128))).encode(), chance.randbytes(300)) for _ in range(number)]


@pytest.mark.parametrize("number", [20_000, pytest.param(1_000_000, marks=pytest.mark.long)])
def test_rejections_in_a_row_take_no_more_memory_or_time_and_a_good_event_is_applied_at_once(
    stage: Stage, processes: Processes, number: int
) -> None:
    chance = random.Random(number)
    worker = processes.worker()
    worker.says("from offset", 2)
    seconds: list[float] = []
    peaks: list[float] = []
    for _ in range(number // PART):
        stage.publish_raw(*bad(chance, PART))
        seconds.append(until(lambda: stage.committed() == stage.ends("events"), within_s=60))
        peaks.append(peak_mib(worker))
    run = str(uuid.uuid4())
    stage.publish(*whole_run(run))
    took = until(lambda: stage.committed() == stage.ends("events"))
    assert max(peaks) < MOST_MEMORY_MIB
    quarter = max(1, len(seconds) // 4)
    assert sum(seconds[-quarter:]) < 3 * sum(seconds[:quarter]) + 3, "the last are as fast as the first"
    assert took < 1 * 3
    worker.send(signal.SIGTERM)
    assert worker.ended() == 0, worker.log
    ends = stage.ends("events")
    good = {m.key() for p in stage.partitions for m in stage.records("state", p)}
    assert good == {run.encode()}
    found = [list(rejected_offsets(stage, p)) for p in stage.partitions]
    assert sum(map(len, found)) == number
    for partition, offsets in enumerate(found):
        assert all(earlier < later for earlier, later in itertools.pairwise(offsets))
        assert set(offsets) <= set(range(ends[partition]))
    print(
        f"\n{number} rejections: peak {max(peaks):.0f} MiB (first {peaks[0]:.0f}), "
        f"a part of {PART} waited {max(seconds):.2f} s at most, a good event {took * 1000:.0f} ms", end=" ",
    )  # fmt: skip


def test_bodies_that_no_topic_takes_are_left_out_of_their_rejections_with_their_hash_and_the_good_ones_go_on(
    stage: Stage,
) -> None:
    """Records are small while they are compressed, and rejections are compressed otherwise."""
    producer = Producer(
        {"bootstrap.servers": stage.bootstrap, "compression.type": "lz4", "message.max.bytes": 100_000_000}
    )
    values = [bytes([n]) * (MAX_REJECTION_BYTES + n * MIB) for n in range(1, 5)]
    for value in values:
        producer.produce(stage.topics.events, value, b"key", 0)
    assert producer.flush(DEADLINE_S) == 0
    run = str(uuid.uuid4())
    stage.publish(event(run, "workflow_created"))
    stage.run_to_end()
    found = stage.records("rejections", 0)
    assert [(headers_of(m)["source-offset"], m.value()) for m in found] == [(b"%d" % n, None) for n in range(4)]
    assert [headers_of(m)["sha256"].decode() for m in found] == [hashlib.sha256(v).hexdigest() for v in values]
    assert_nothing_lost(stage)
