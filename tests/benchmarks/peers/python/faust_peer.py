"""The processor as one writes it with Faust: an agent over a RocksDB table, exactly once.

Only the table's changelog and the offsets are in its transactions: to a topic that the worker does not itself read, faust
0.15.3 sends by a producer of its own that has none. That spares it work, and costs it the guarantee.
"""

from __future__ import annotations

import sys
from typing import Any

import faust
from faust.serializers.codecs import Codec, register

from tests.benchmarks.peers.python.fold import fold
from tests.benchmarks.peers.python.records import decode_event, encode_state, given, say_began


class Events(Codec):  # type: ignore[misc]
    def _loads(self, value: bytes) -> Any:
        return decode_event(value)


class States(Codec):  # type: ignore[misc]
    def _dumps(self, value: Any) -> bytes:
        return encode_state(value)


def application() -> faust.App:
    partitions = int(given("PARTITIONS"))
    register("event", Events())
    register("state", States())
    app = faust.App(
        given("GROUP"),
        broker=f"kafka://{given('BOOTSTRAP')}",
        store="rocksdb://",
        datadir=given("DIRECTORY"),
        processing_guarantee="exactly_once",
        broker_commit_interval=int(given("COMMIT_MS")) / 1000,
        producer_compression_type=given("COMPRESSION"),
        consumer_auto_offset_reset="earliest",
        topic_partitions=partitions,
        topic_replication_factor=1,
        topic_disable_leader=True,
        web_enabled=False,
    )
    described = {"key_type": str, "key_serializer": "raw", "partitions": partitions}
    events = app.topic(given("EVENTS"), value_serializer="event", **described)
    states = app.topic(given("STATES"), value_serializer="state", **described)
    runs = app.Table("runs", partitions=partitions, options={"driver": "rocksdict"})

    async def apply(stream: Any) -> None:
        first = True
        async for run_id, event in stream.items():
            if first:
                first = False
                say_began()
            run = fold(runs.get(run_id), event)
            runs[run_id] = run
            await states.send(key=run_id, value=run)

    app.agent(events)(apply)
    return app


if __name__ == "__main__":
    sys.argv[1:] = ["worker", "--loglevel", "WARN", "--without-web"]
    application().main()
