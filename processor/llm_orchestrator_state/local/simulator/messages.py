"""What the simulation and its orchestrators say to each other: JSON lines on the orchestrator's stdin and stdout."""

from __future__ import annotations

import msgspec

from .plan import Plan


class Message(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One line."""

    def to_line(self) -> bytes:
        return msgspec.json.encode(self) + b"\n"


# --- to an orchestrator -----------------------------------------------------------------------------------------------


class Job(Message, frozen=True, kw_only=True):
    """The first line.

    shift: how many had the seat before. start: of the plan, microseconds since 1970. rate: events a second of this
    seat; None: as fast as it goes.
    """

    plan: Plan
    seat: int
    shift: int
    start: int
    rate: float | None
    bootstrap_servers: str


class Begin(Message, frozen=True, kw_only=True):
    """monotonic: when the seat's first event is due, on the clock that all processes of a machine share."""

    monotonic: float


class Awake(Message, frozen=True, kw_only=True):
    """A hanging orchestrator comes to life again: others have taken over."""


# --- from an orchestrator ---------------------------------------------------------------------------------------------


class Report(msgspec.Struct, kw_only=True):
    """What one process has published, or several.

    statuses: of the runs of which no more events come. verdicts: what the processor will say, by how many events.
    """

    events: int = 0
    statuses: dict[str, int] = msgspec.field(default_factory=dict)
    verdicts: dict[str, int] = msgspec.field(default_factory=dict)

    def add(self, other: Report) -> None:
        self.events += other.events
        for sums, more in ((self.statuses, other.statuses), (self.verdicts, other.verdicts)):
            for name, number in more.items():
                sums[name] = sums.get(name, 0) + number


class Ready(Message, frozen=True, kw_only=True):
    """It waits for Begin."""


class Published(Message, frozen=True, kw_only=True):
    """So far; said a few times a second."""

    events: int
    runs: int


class TookOver(Message, frozen=True, kw_only=True):
    """Its claims of the predecessor's runs are in the log."""

    runs: int


class Hangs(Message, frozen=True, kw_only=True):
    """It publishes nothing until it is awake again."""

    report: Report


class Crashes(Message, frozen=True, kw_only=True):
    """The last that is heard of it."""

    report: Report


class Done(Message, frozen=True, kw_only=True):
    """It has nothing more to publish, and all of it has been delivered.

    report: since its last report. zombie: whether it only spoke for runs that others have taken over.
    """

    report: Report
    zombie: bool = False


class Failed(Message, frozen=True, kw_only=True):
    """error: the name of a class of errors.py."""

    error: str
    text: str


ToOrchestrator = Job | Begin | Awake
FromOrchestrator = Ready | Published | TookOver | Hangs | Crashes | Done | Failed
