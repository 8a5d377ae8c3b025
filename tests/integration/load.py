"""A publisher that goes on until it is told to stop: python -m tests.integration.load BOOTSTRAP PREFIX SEED RATE

Some hundred runs at once, RATE events a second in all; now and then an event twice, one for a run that does not exist,
one out of turn, and bytes that are no event. SIGTERM, or the end of its standard input, ends it; what is queued is
delivered before.
"""

from __future__ import annotations

import random
import select
import signal
import sys
import time
import uuid
from collections.abc import Iterator

from confluent_kafka import Producer

from llm_orchestrator_state.kafka.topics import TopicSet
from llm_orchestrator_state.model.records import EventRecord
from llm_orchestrator_state.wire.codec import Codec
from tests.integration.harness import event, whole_run

RUNS_AT_ONCE = 300
TICK_S = 0.02

Published = tuple[bytes, bytes]


def traffic(chance: random.Random) -> Iterator[Published]:
    """Endless, and byte for byte the same for the same seed.

    The runs' events are encoded from few patterns, so that the publisher leaves the cores to the others.
    """
    codec = Codec()
    patterns = [whole_run(str(uuid.UUID(int=n)), steps) for n, steps in enumerate((1, 3, 6))]
    open_runs: list[tuple[str, Iterator[EventRecord]]] = []
    while True:
        while len(open_runs) < RUNS_AT_ONCE:
            open_runs.append((_uuid(chance), iter(chance.choice(patterns))))
        index = chance.randrange(len(open_runs))
        run_id, events = open_runs[index]
        key = run_id.encode()
        template = next(events, None)
        if template is None:
            open_runs[index] = open_runs[-1]
            open_runs.pop()
            continue
        value = codec.encode_event({**template, "run_id": run_id, "event_id": _uuid(chance)})
        yield key, value
        dice = chance.random()
        if dice < 0.02:
            yield key, value
        elif dice < 0.025:
            stranger = _uuid(chance)
            yield stranger.encode(), codec.encode_event(event(stranger, "workflow_started", event_id=_uuid(chance)))
        elif dice < 0.03:
            yield key, codec.encode_event(event(run_id, "step_retried", step_id="never", event_id=_uuid(chance)))
        elif dice < 0.035:
            yield key, chance.randbytes(40)


def _uuid(chance: random.Random) -> str:
    return str(uuid.UUID(int=chance.getrandbits(128)))


def main() -> None:
    bootstrap, prefix, seed, rate = sys.argv[1:]
    producer = Producer(
        {"bootstrap.servers": bootstrap, "partitioner": "murmur2_random", "enable.idempotence": True, "linger.ms": 20}
    )
    asked_to_end: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: asked_to_end.append(number))
    topic = TopicSet(prefix).events
    events = traffic(random.Random(int(seed)))
    began, published = time.monotonic(), 0
    while not asked_to_end:
        for key, value in (next(events) for _ in range(int((time.monotonic() - began) * int(rate)) - published)):
            producer.produce(topic, value, key)
            published += 1
        producer.poll(0)
        if select.select([sys.stdin], [], [], TICK_S)[0]:
            break
    assert producer.flush(30) == 0
    print(f"published {published}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
