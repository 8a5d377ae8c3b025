"""After a soak: everything that is there, compared with everything that was published."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, cast

from llm_orchestrator_state.kafka.partitioner import partition_of
from llm_orchestrator_state.wire.framing import Undecodable, UnknownSchema
from tests.faults.scene import answered
from tests.integration.agreement import differences, emitted_rejections, fold_log, reports
from tests.integration.harness import Stage, headers_of
from tests.integration.load import Published, traffic
from tests.unit.reference_fold import judge

ASK_AGAIN_S = 60.0
"""A busy machine's brokers change their parts also when nothing is done to them."""


def differences_found(stage: Stage, seed: int, published: int, states: list[str]) -> Counter[str]:
    """How many things are not as they must be, by what they are.

    What was published is known by seed and number; that the log has it is not taken for granted.
    """
    found: Counter[str] = Counter()
    for partition in stage.partitions:
        events = list(_of(partition, stage, seed, published))
        log = [(message.key() or b"", message.value() or b"") for message in stage.records("events", partition)]
        found["runs with events lost, twice or out of order in the log"] += _unequal(_by_run(log), _by_run(events))
        _compare_outputs(stage, partition, events, found)
    for state in states:
        told = answered(lambda state=state: differences(reports(stage, state)), ASK_AGAIN_S)  # type: ignore[misc] # bound
        found["differences told by verify"] += len(told)
    committed, ends = answered(stage.committed, ASK_AGAIN_S), answered(lambda: stage.ends("events"), ASK_AGAIN_S)
    found["partitions not judged to their end"] += sum(committed[p] != ends[p] for p in stage.partitions)
    return +found


def _of(partition: int, stage: Stage, seed: int, published: int) -> Iterator[Published]:
    for key, value in islice(traffic(random.Random(seed)), published):
        if partition_of(key, len(stage.partitions)) == partition:
            yield key, value


def _by_run(events: list[Published]) -> dict[bytes, list[bytes]]:
    """Among runs nothing is promised."""
    found: dict[bytes, list[bytes]] = {}
    for key, value in events:
        found.setdefault(key, []).append(value)
    return found


def _compare_outputs(stage: Stage, partition: int, events: list[Published], found: Counter[str]) -> None:
    fold = fold_log(stage, partition)
    states = stage.table("state", partition)
    found["states other than the log's fold"] += _unequal(states, fold.states)
    found["states other than a second fold of what was published"] += _unequal(states, _expected(stage, events))
    found["checkpoints other than the log's fold"] += _unequal(stage.table("checkpoints", partition), fold.checkpoints)
    emitted, expected = Counter(emitted_rejections(stage, partition)), Counter(fold.rejections)
    found["rejections missing, twice or wrong"] += (emitted - expected).total() + (expected - emitted).total()
    last: dict[bytes, int] = {}
    for message in stage.records("state", partition):
        key, source = message.key() or b"", int(headers_of(message)["source-offset"])
        found["states emitted again for an event"] += source <= last.get(key, -1)
        last[key] = source


def _unequal(one: Mapping[bytes, object], other: Mapping[bytes, object]) -> int:
    return sum(one.get(key) != other.get(key) for key in one.keys() | other.keys())


def _expected(stage: Stage, events: list[Published]) -> dict[bytes, bytes]:
    """By the slow fold that shares nothing with the product's."""
    runs: dict[bytes, dict[str, Any] | None] = {}
    for key, value in events:
        try:
            event = stage.codec.decode_event(value)
        except (Undecodable, UnknownSchema):
            continue
        _, runs[key] = judge(runs.get(key), cast("dict[str, Any]", event), stage.format.checkpoints)
    return {key: stage.codec.encode_state(cast(Any, state)) for key, state in runs.items() if state is not None}
