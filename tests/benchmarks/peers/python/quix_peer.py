"""The processor as one writes it with Quix Streams: a stateful apply over RocksDB with its changelog, exactly once."""

from __future__ import annotations

from typing import Any

from quixstreams import Application
from quixstreams.models import Deserializer, Serializer

from tests.benchmarks.peers.python.fold import fold
from tests.benchmarks.peers.python.records import decode_event, encode_state, given, say_began

KEY = "run"


class Events(Deserializer):  # type: ignore[misc]
    def __call__(self, value: bytes, ctx: Any) -> dict[str, Any]:
        return decode_event(value)


class States(Serializer):  # type: ignore[misc]
    def __call__(self, value: dict[str, Any], ctx: Any) -> bytes:
        return encode_state(value)


class First:
    """The state's first reader tells that work has begun."""

    def __init__(self) -> None:
        self.is_to_come = True

    def apply(self, event: dict[str, Any], state: Any) -> dict[str, Any] | None:
        if self.is_to_come:
            self.is_to_come = False
            say_began()
        run = fold(state.get(KEY), event)
        state.set(KEY, run)
        return run


def main() -> None:
    app = Application(
        broker_address=given("BOOTSTRAP"),
        consumer_group=given("GROUP"),
        state_dir=given("DIRECTORY"),
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        commit_interval=int(given("COMMIT_MS")) / 1000,
        producer_extra_config={"compression.type": given("COMPRESSION")},
    )
    events = app.topic(given("EVENTS"), value_deserializer=Events())
    states = app.topic(given("STATES"), value_serializer=States())
    runs = app.dataframe(events)
    runs.apply(First().apply, stateful=True).to_topic(states)
    app.run()


if __name__ == "__main__":
    main()
