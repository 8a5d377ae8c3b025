"""Commands about one run: its id, and a reader of its partition."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import InvalidState, NotFound
from ..hints import command
from .reading import reading
from .session import Session

if TYPE_CHECKING:
    from ..client.reading import StateReader
    from ..model.records import StateRecord

RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Id of the run.")]


def canonical(text: str, what: str = "run") -> str:
    """An id as Kafka has it as a key. Raises InvalidState."""
    from uuid import UUID

    try:
        return str(UUID(text))
    except ValueError:
        raise InvalidState(
            f"{what} id {text!r} is not a UUID; expected one such as 6f1b8b0e-93a5-4c1e-8a52-0d7c3f4e5a6b"
        ) from None


def home(call: Session, run_id: str) -> int:
    """The partition of a canonical run id. Raises TopicMismatch, Connection."""
    from ..client.read import partitions_of
    from ..kafka.partitioner import partition_of

    return partition_of(run_id.encode(), len(partitions_of(call.admin, call.topics.state)))


@contextmanager
def one_run(
    call: Session, run_id: str, *, no_cache: bool = False, values: bool = False
) -> Iterator[tuple[StateReader, StateRecord]]:
    """A reader of the run's partition, and the run as it is now. Raises as reading() does, and NotFound.

    values: with its large values.
    """
    with reading(call, no_cache=no_cache, partitions=[home(call, run_id)]) as runs:
        state = runs.record(run_id, values=values)
        if state is None:
            raise NotFound(f"no run {run_id} in {call.topics.state}; `{command('list')}` shows the runs there are")
        yield runs, state
