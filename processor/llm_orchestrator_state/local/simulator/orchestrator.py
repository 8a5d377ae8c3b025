"""One simulated orchestrator, a process: ``python -m llm_orchestrator_state.local.simulator.orchestrator``.

Settings come in the environment; see messages.py for what it reads and says. It ends when its standard input does, so
none is left behind by whoever started it.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from itertools import chain, islice
from typing import Any

import msgspec

from ... import errors
from ...client.producer import EventProducer
from ...kafka.topics import TopicSet
from ...settings import Settings
from ...settings_sources import load
from ...wire.codec import Codec
from .messages import (
    Awake,
    Begin,
    Crashes,
    Done,
    Failed,
    Hangs,
    Job,
    Message,
    Published,
    Ready,
    Report,
    TookOver,
    ToOrchestrator,
)
from .seat import CRASH, Claimed, Ended, Event, Incident, Seat, of_shift

TELL_S = 0.2
"""How often it says how far it is."""

LOOK_EVERY = 256
"""Events without pause after which it looks at the clock all the same."""


class Orchestrator:
    """Publishes one process's part of a seat's events."""

    def __init__(self, job: Job, producer: EventProducer, heard: Callable[[], Any]) -> None:
        self._job = job
        self._producer = producer
        self._heard = heard
        self._report = Report()
        self._published = 0
        self._runs = 0
        self._next_telling = 0.0

    def work(self) -> None:
        """Returns when nothing is left to do for it; where it is to crash, never."""
        job = self._job
        items = of_shift(Seat(job.plan, job.seat, job.start).items(), job.shift)
        prepared = list(islice(items, 1))  # what predecessors have published is passed over before it says Ready
        began = self._begin()
        for number, item in chain(prepared, items):
            match item:
                case Event(record, verdict):
                    self._keep_pace(began, number)
                    self._producer.publish(record)
                    self._note(verdict)
                case Ended(_, status):
                    self._runs += 1
                    self._report.statuses[status] = self._report.statuses.get(status, 0) + 1
                case Claimed(runs):
                    self._producer.flush()
                    tell(TookOver(runs=runs))
                case Incident():
                    self._leave(item)
                    return
        self._producer.flush()
        tell(Done(report=self._report))

    def _begin(self) -> float:
        tell(Ready())
        begin: Begin = self._heard()
        return begin.monotonic

    def _leave(self, incident: Incident) -> None:
        self._producer.flush()
        if incident.kind == CRASH:
            tell(Crashes(report=self._report))
            os.kill(os.getpid(), signal.SIGKILL)
        tell(Hangs(report=self._report))
        self._report = Report()
        awake: Awake = self._heard()
        del awake
        for record, verdict in incident.zombie:
            self._producer.publish(record)
            self._note(verdict)
        self._producer.flush()
        tell(Done(report=self._report, zombie=True))

    def _note(self, verdict: str) -> None:
        report = self._report
        report.events += 1
        self._published += 1
        report.verdicts[verdict] = report.verdicts.get(verdict, 0) + 1

    def _keep_pace(self, began: float, number: int) -> None:
        if self._job.rate is None:
            if not number % LOOK_EVERY:
                self._tell_progress(time.monotonic())
            return
        now = time.monotonic()
        self._tell_progress(now)
        due = began + number / self._job.rate
        if due > now:
            time.sleep(due - now)  # the pace that was asked for

    def _tell_progress(self, now: float) -> None:
        if now >= self._next_telling:
            self._next_telling = now + TELL_S
            tell(Published(events=self._published, runs=self._runs))


def tell(message: Message) -> None:
    sys.stdout.buffer.write(message.to_line())
    sys.stdout.buffer.flush()


def listen() -> Callable[[], Any]:
    """What returns the next message, when it has come. At the end of input the process ends, whatever it is doing."""
    heard: queue.SimpleQueue[ToOrchestrator] = queue.SimpleQueue()
    decoder = msgspec.json.Decoder(ToOrchestrator)

    def read() -> None:
        # unbuffered: the interpreter cannot end while a thread is in sys.stdin's buffer
        with os.fdopen(os.dup(0), "rb", buffering=0) as lines:
            for line in lines:
                heard.put(decoder.decode(line))
        os._exit(1)

    threading.Thread(target=read, daemon=True).start()
    return heard.get


def codec_of(settings: Settings) -> Codec:
    if settings.schema_registry_url is None:
        return Codec()
    from ...kafka.registry import ConfluentRegistry

    registry = ConfluentRegistry(
        settings.schema_registry_url,
        TopicSet(settings.topic_prefix),
        settings.schema_registry_properties,
        mode=settings.schema_registry_mode,
    )
    return Codec(registry)


def main() -> None:
    heard = listen()
    job: Job = heard()
    settings = load()
    try:
        topic = TopicSet(settings.topic_prefix).events
        with EventProducer(job.bootstrap_servers, settings.properties, topic, codec_of(settings)) as producer:
            Orchestrator(job, producer, heard).work()
    except errors.StateError as error:
        tell(Failed(error=type(error).__name__, text=str(error)))


if __name__ == "__main__":
    main()
