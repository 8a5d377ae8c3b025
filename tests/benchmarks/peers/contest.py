"""Who meets whom: ours first, and each peer right after it on the same log, under the same conditions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from tests.benchmarks.floor import floor
from tests.benchmarks.peers.compiled import compiled
from tests.benchmarks.peers.conditions import (
    CHECKPOINTS,
    COMPILED,
    FAUST,
    FLOOR,
    KAFKA_STREAMS,
    OURS,
    QUIX,
    Conditions,
    Contender,
)
from tests.benchmarks.peers.kafka_streams import KafkaStreams
from tests.benchmarks.peers.measurement import Figures, measure
from tests.benchmarks.peers.ours import Ours
from tests.benchmarks.peers.python_peers import PythonPeer
from tests.benchmarks.peers.ratios import ratios
from tests.benchmarks.peers.reference import Reference
from tests.benchmarks.system import System, Topics, topics
from tests.benchmarks.workload import SHAPES, workload

PARTITIONS = 4
"""With which two threads of Kafka Streams were fastest, and one thread no slower than with 2."""


class Heat(NamedTuple):
    """against: peers, COMPILED, CHECKPOINTS, FLOOR."""

    conditions: Conditions
    against: tuple[str, ...]


def full(events: int) -> list[Heat]:
    """events: of workload A for Kafka Streams; the other logs are at most as long, and shorter as their peers are slow."""
    medium, small = min(events, 200_000), min(events, 20_000)
    return [
        *(Heat(Conditions("A", events, n, ms), (KAFKA_STREAMS, COMPILED)) for n, ms in ((1, 100), (2, 100), (2, 1000))),
        Heat(Conditions("A", events, 1, 1000), (KAFKA_STREAMS, COMPILED, CHECKPOINTS, FLOOR)),
        Heat(Conditions("A", medium, 1, 1000), (QUIX,)),
        Heat(Conditions("B", medium, 1, 1000), (KAFKA_STREAMS, COMPILED, QUIX, FLOOR)),
        *(Heat(Conditions("B", medium, n, ms), (KAFKA_STREAMS, COMPILED)) for n, ms in ((1, 100), (2, 1000))),
        Heat(Conditions("A", small, 1, 1000), (FAUST,)),
    ]


def quick(events: int) -> list[Heat]:
    return [Heat(Conditions("A", events, 1, ms), (KAFKA_STREAMS,)) for ms in (100, 1000)]


def contest(
    on: System, heats: Iterable[Heat], against: Sequence[str], told: Callable[[Figures], None]
) -> dict[str, Any]:
    """The figures of ours and of these, each told when it is there. Raises ProgramFailed and MissingProgram."""
    chosen = [Heat(heat.conditions, tuple(name for name in heat.against if name in against)) for heat in heats]
    contenders = _contenders(on.directory, {name for heat in chosen for name in heat.against} - {FLOOR})
    rows: list[Figures] = []
    floors: list[Figures] = []
    logs = groupby((heat for heat in chosen if heat.against), key=lambda heat: heat.conditions[:2])
    for (name, events), on_log in logs:
        with topics(on, f"{name.lower()}-{events}", partitions=PARTITIONS) as made:
            made.publish(workload(SHAPES[name], events))
            reference = Reference(made)
            for heat in on_log:
                for each in (OURS, *heat.against):
                    if each == FLOOR:
                        floors.append({**heat.conditions._asdict(), "events": reference.events, **floor(made)})
                        continue
                    group = _group(made, each, len(rows))
                    rows.append(measure(contenders[each], made, group, heat.conditions, reference))
                    told(rows[-1])
    return {"rows": rows, "floors": floors, "named": ratios(rows, floors)}


def _contenders(directory: Path, names: set[str]) -> dict[str, Contender]:
    made: dict[str, Contender] = {OURS: Ours(), CHECKPOINTS: Ours(CHECKPOINTS, "step")}
    for name in sorted(names - made.keys()):
        if name == KAFKA_STREAMS:
            made[name] = KafkaStreams()
            continue
        place = directory / name
        place.mkdir(exist_ok=True)
        made[name] = Ours(COMPILED, package=compiled(place)) if name == COMPILED else PythonPeer(name, place)
    return made


def _group(made: Topics, name: str, number: int) -> str:
    """Each peer in a group of its own every time: its topics are named after the group, and a member may linger."""
    return made.cluster.group if name.startswith(OURS) else f"{made.cluster.topics.prefix}.{name}-{number}"
