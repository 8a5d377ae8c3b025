"""The publisher beside raw produce() of the same bytes, and what a step costs with its handles."""

from __future__ import annotations

import gc
import random
import time
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from statistics import median
from typing import Any, NamedTuple
from uuid import UUID

from confluent_kafka import Producer

from llm_orchestrator_state import Publisher
from llm_orchestrator_state.client.publishing.encoding import EventEncoder
from llm_orchestrator_state.client.transport import EVENT_PRODUCER, Headers, OnDelivery
from llm_orchestrator_state.kafka.properties import with_pass_through
from llm_orchestrator_state.model import StepCompleted, StepStarted, TransitionEvent
from tests.benchmarks.system import System, Topics, topics

RESULT_DIGITS = 80
"""Hexadecimal ones, which do not compress well; they make the event 300 bytes."""

ROUNDS = 3

Figures = dict[str, Any]


class _Taken(NamedTuple):
    """cpu_s: of this process, librdkafka's threads included."""

    seconds: float
    cpu_s: float


def publisher(on: System, events: int, steps: int) -> Figures:
    """events: of one round; raw and ours take turns, and the medians are told."""
    random_bits = random.Random(7)
    ready = [_event(random_bits) for _ in range(events)]
    encode = EventEncoder().encode
    encoded = [encode(event) for event in ready]
    gc.collect()
    gc.freeze()  # what is ready beforehand is not this measurement's garbage
    raw: list[_Taken] = []
    ours: list[_Taken] = []
    with topics(on, "publisher") as made:
        for _ in range(ROUNDS):
            raw.append(_taken(lambda: _produce(made, encoded)))
            ours.append(_taken(lambda: _publish(made, ready)))
    figures = {
        "events": events,
        "event_bytes": median(len(value) for _, value in encoded),
        "raw_per_s": events / median(each.seconds for each in raw),
        "published_per_s": events / median(each.seconds for each in ours),
        "ratio": median(theirs.seconds / mine.seconds for mine, theirs in zip(ours, raw, strict=True)),
        "raw_cpu_us": median(each.cpu_s for each in raw) / events * 1e6,
        "published_cpu_us": median(each.cpu_s for each in ours) / events * 1e6,
        "encode_cpu_us": _taken(lambda: _exhaust(map(encode, ready))).cpu_s / events * 1e6,
        "steps": steps,
        "step_cpu_us": _taken(lambda: _with_handles(steps)).cpu_s / steps * 1e6,
        "two_events_cpu_us": _taken(lambda: _without_handles(steps)).cpu_s / steps * 1e6,
    }
    gc.unfreeze()
    return figures


def _event(random_bits: random.Random) -> TransitionEvent:
    result = f"{random_bits.getrandbits(4 * RESULT_DIGITS):0{RESULT_DIGITS}x}"
    return TransitionEvent(
        event_id=UUID(int=random_bits.getrandbits(128), version=4),
        run_id=UUID(int=random_bits.getrandbits(128), version=4),
        occurred_at=datetime.now(UTC),
        transition=StepCompleted(
            step_id="step-001",
            attempt=1,
            outputs={"worker": "worker-07", "duration_ms": 4711, "result": result},
            usage={"gen_ai.usage.input_tokens": 812, "gen_ai.usage.output_tokens": 14},
        ),
    )


def _produce(made: Topics, encoded: list[tuple[bytes, bytes]]) -> None:
    producer = Producer(with_pass_through(EVENT_PRODUCER, made.system.bootstrap, made.system.properties))
    produce, topic = producer.produce, made.cluster.topics.events
    for key, value in encoded:
        while True:
            try:
                produce(topic, value, key)
                break
            except BufferError:
                producer.poll(0.1)
    while producer.flush(1.0):
        pass


def _publish(made: Topics, ready: list[TransitionEvent]) -> None:
    with Publisher(
        made.system.bootstrap, topic_prefix=made.cluster.topics.prefix, properties=made.system.properties
    ) as opened:
        publish = opened.publish
        for event in ready:
            publish(event)


class _Nowhere:
    """A transport that delivers at once, and keeps nothing."""

    topic = "nowhere"

    def send(self, _key: bytes, _value: bytes, _headers: Headers | None, on_delivery: OnDelivery) -> bool:
        on_delivery(None, self)
        return True

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return 0

    def poll(self, _timeout_s: float) -> int:
        return 0

    def pending(self) -> int:
        return 0

    def close(self) -> None:
        pass


def _with_handles(steps: int) -> None:
    with Publisher(transport=_Nowhere()) as opened, opened.workflow("triage") as run:
        for number in range(steps):
            with run.step("classify", key=number) as step:
                step.outputs = {"label": "bug"}
                step.usage(input_tokens=812, output_tokens=14)


def _without_handles(steps: int) -> None:
    """The two events of a step, made by hand and published."""
    run_id = UUID(int=1)
    with Publisher(transport=_Nowhere()) as opened:
        for number in range(steps):
            step_id = f"classify[{number}]"
            opened.publish(TransitionEvent(run_id=run_id, transition=StepStarted(step_id=step_id, attempt=1)))
            usage = {"gen_ai.usage.input_tokens": 812, "gen_ai.usage.output_tokens": 14}
            done = StepCompleted(step_id=step_id, attempt=1, outputs={"label": "bug"}, usage=usage)
            opened.publish(TransitionEvent(run_id=run_id, transition=done))


def _exhaust(each: Iterable[object]) -> None:
    deque(each, 0)


def _taken(call: Callable[[], None]) -> _Taken:
    cpu_s, began = time.process_time(), time.perf_counter()
    call()
    return _Taken(time.perf_counter() - began, time.process_time() - cpu_s)
