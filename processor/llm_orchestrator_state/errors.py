"""Every error this package raises on purpose.

StateError
├── InvalidState          a status, field or JSON text that the model does not allow
│   ├── EventRejected     the processor rejected an event that was published
│   ├── StepAlreadyOpen   a step that is open in this handle was entered again
│   └── Closed            a client was used after its end, or in a forked process
├── Serialization         bytes or text that cannot be read as what they should be
├── NotFound              no such run, checkpoint or rejection
├── Connection            broker or registry unreachable, or it refused the credentials
│   ├── NotAllowed        credentials or ACLs do not allow it
│   └── TimedOut          what was waited for did not come in the time given; a TimeoutError too
├── Configuration         a setting, topic or command line that cannot work
│   ├── TopicMismatch     topics that are missing or not as they must be
│   └── MissingProgram    Java, Maven or Docker is needed and not there
├── StateDirectory        the local state directory cannot be used
│   ├── StoreLocked       another process has this partition's store open
│   ├── ForeignStore      it belongs to another cluster or topic
│   └── CorruptStore      RocksDB found damage in it
├── OffsetMismatch        group offsets, log and restored state do not fit together
├── LogTrimmed            the event log no longer reaches back to its start
├── Fenced                another worker has this worker's identity
├── BadInput              some of the given events could not be published
└── Different             log, state topic and local store do not agree

Each class has the exit code with which the command line ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from .model.verdicts import Code

INTERRUPTED = 130
"""Exit code after Ctrl-C: as a shell reports a program that SIGINT has ended."""


class StateError(Exception):
    """Something went wrong."""

    exit_code: ClassVar[int] = 1


class InvalidState(StateError):
    """A value the model does not allow. The caller must change it."""

    exit_code = 2


class EventRejected(InvalidState):
    """The processor rejected an event; the run is as if it had never been published.

    code: why, one of model.verdicts.Code, which are str. detail: what was found, and what would have been right.
    """

    def __init__(self, code: Code, detail: str, event_id: str) -> None:
        super().__init__(f"event {event_id} was rejected ({code}): {detail}")
        self.code = code
        self.detail = detail
        self.event_id = event_id

    def __reduce__(self) -> tuple[type[EventRejected], tuple[Code, str, str]]:
        return type(self), (self.code, self.detail, self.event_id)


class StepAlreadyOpen(InvalidState):
    """A step was entered that is open in this handle. Another unit of work of the same name needs a key of its own."""


class Closed(InvalidState):
    """A client was used after its end, or in a process forked from the one that made it. Make another."""


class Serialization(StateError):
    """Bytes or text that cannot be read as what they should be."""

    exit_code = 2


class NotFound(StateError):
    """No such run, checkpoint or rejection."""

    exit_code = 9


class Connection(StateError):
    """The broker or the schema registry cannot be reached, or refused the credentials."""

    exit_code = 3


class NotAllowed(Connection):
    """The brokers refuse what was asked, because of the credentials or ACLs. Asking again does not help; others may."""


class TimedOut(Connection, TimeoutError):
    """What a call waited for did not come within its timeout_s. It may still come: wait again, or longer."""


class Configuration(StateError):
    """A setting that cannot work. The operator must change it."""

    exit_code = 2


class TopicMismatch(Configuration):
    """A topic that is missing or not as it must be. The operator must repair it."""

    exit_code = 4


class MissingProgram(Configuration):
    """A program that is needed is not installed."""

    exit_code = 12


class StateDirectory(StateError):
    """The local state directory cannot be used."""

    exit_code = 5


class StoreLocked(StateDirectory):
    """Another process has this partition's store open; it is tried again."""


class ForeignStore(StateDirectory):
    """The state directory belongs to another cluster or topic set."""


class CorruptStore(StateDirectory):
    """RocksDB found damage; the directory is moved aside and the partition restored."""


class OffsetMismatch(StateError):
    """Group offsets, event log and restored state do not fit together. The operator must decide."""

    exit_code = 8


class LogTrimmed(StateError):
    """The event log no longer reaches back to its start."""

    exit_code = 10


class Fenced(StateError):
    """Another worker has this worker's identity."""

    exit_code = 11


class BadInput(StateError):
    """Some of the given events could not be published."""

    exit_code = 6


class Different(StateError):
    """Event log, state topic and local store do not agree."""

    exit_code = 7
