"""What the client and the decoder allow on their own: the worker's consumer and codec, and nothing behind them."""

from __future__ import annotations

import sys
import time

import msgspec
from confluent_kafka import TopicPartition

from llm_orchestrator_state.cli.flags import Given
from llm_orchestrator_state.cli.session import Session
from llm_orchestrator_state.engine.worker import MAX_BATCH
from tests.benchmarks.program import Program
from tests.benchmarks.system import Topics

PATIENCE_S = 300.0


def floor(made: Topics) -> dict[str, float]:
    """Measured in a process of its own, as the worker is."""
    log = made.system.directory / "floor.log"
    with Program("tests.benchmarks.floor", str(made.partitions), environment=made.environment(), log=log) as program:
        said = program.expect("floor", PATIENCE_S)
        program.wait()
    return {name: said[name] for name in ("consume_per_s", "decode_per_s")}


def per_second(call: Session, partitions: int, *, decode: bool) -> float:
    """Events of the whole log, from the first batch to the last."""
    cluster, codec = call.member("floor"), call.codec
    topic = call.topics.events
    ranges = cluster.log_ranges(topic, range(partitions))
    left = sum(log.end - log.start for log in ranges.values())
    consumer = cluster.group_consumer()
    consumer.incremental_assign([TopicPartition(topic, p, log.start) for p, log in ranges.items()])
    events, began = 0, 0.0
    while left > 0:
        first = consumer.poll(1.0)
        if first is None:
            continue
        began = began or time.perf_counter()
        messages = [first, *consumer.consume(MAX_BATCH, 0)]
        if decode:
            for message in messages:
                message.partition(), message.offset(), message.key()
                codec.decode_event(message.value())
        events += len(messages)
        left -= len(messages)
    took = time.perf_counter() - began
    consumer.close()
    return events / took


def main(partitions: int) -> None:
    call = Session(Given([], None))
    figures = {
        "consume_per_s": per_second(call, partitions, decode=False),
        "decode_per_s": per_second(call, partitions, decode=True),
    }
    print(msgspec.json.encode({"what": "floor"} | figures).decode(), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
