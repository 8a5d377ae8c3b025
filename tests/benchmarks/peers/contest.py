"""Who meets whom: ours first, and each peer right after it on the same log, under the same conditions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from tests.benchmarks.peers.conditions import Conditions, Contender
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

KAFKA_STREAMS, QUIX, FAUST = "kafka_streams", "quix", "faust"


class Heat(NamedTuple):
    conditions: Conditions
    peers: tuple[str, ...]


def full(events: int) -> list[Heat]:
    """events: of workload A for Kafka Streams; the other logs are at most as long, and shorter as their peers are slow."""
    medium, small = min(events, 200_000), min(events, 20_000)
    return [
        *(Heat(Conditions("A", events, n, ms), (KAFKA_STREAMS,)) for n in (1, 2) for ms in (100, 1000)),
        Heat(Conditions("A", medium, 1, 1000), (QUIX,)),
        Heat(Conditions("B", medium, 1, 1000), (KAFKA_STREAMS, QUIX)),
        *(Heat(Conditions("B", medium, n, ms), (KAFKA_STREAMS,)) for n, ms in ((1, 100), (2, 100), (2, 1000))),
        Heat(Conditions("A", small, 1, 1000), (FAUST,)),
    ]


def quick(events: int) -> list[Heat]:
    return [Heat(Conditions("A", events, 1, ms), (KAFKA_STREAMS,)) for ms in (100, 1000)]


def contest(on: System, heats: Iterable[Heat], peers: Sequence[str], told: Callable[[Figures], None]) -> dict[str, Any]:
    """The figures of ours and of these peers, each told when it is there. Raises ProgramFailed and MissingProgram."""
    chosen = [Heat(heat.conditions, tuple(p for p in heat.peers if p in peers)) for heat in heats]
    contenders = _contenders(on.directory, {name for heat in chosen for name in heat.peers})
    rows: list[Figures] = []
    logs = groupby((heat for heat in chosen if heat.peers), key=lambda heat: heat.conditions[:2])
    for (name, events), on_log in logs:
        with topics(on, f"{name.lower()}-{events}", partitions=PARTITIONS) as made:
            made.publish(workload(SHAPES[name], events))
            reference = Reference(made)
            for heat in on_log:
                for contender in (Ours(), *(contenders[peer] for peer in heat.peers)):
                    rows.append(
                        measure(contender, made, _group(made, contender, len(rows)), heat.conditions, reference)
                    )
                    told(rows[-1])
    return {"rows": rows, "ratios": ratios(rows)}


def _contenders(directory: Path, names: Iterable[str]) -> dict[str, Contender]:
    made: dict[str, Contender] = {}
    for name in sorted(names):
        place = directory / name
        place.mkdir(exist_ok=True)
        made[name] = KafkaStreams(place) if name == KAFKA_STREAMS else PythonPeer(name, place)
    return made


def _group(made: Topics, contender: Contender, number: int) -> str:
    """Each peer in a group of its own every time: its topics are named after the group, and a member may linger."""
    return made.cluster.group if contender.name == "ours" else f"{made.cluster.topics.prefix}.{contender.name}-{number}"
