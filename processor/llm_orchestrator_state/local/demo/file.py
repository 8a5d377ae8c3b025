"""The demo of a file: its events through the whole, and the states compared with the expected ones beside it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...errors import BadInput, Configuration, Different
from ..expected import differences, expected_states
from .acts import SHOWN, create_topics, verify
from .next_steps import show_next_steps
from .progress import Progress, progress_of
from .screen import INDENT, Screen
from .stage import Stage
from .summary import Summary, show_summary

LOOK_S = 0.25
LINE_S = 2.0
"""Between two lines where nobody watches."""


def readable(file: Path) -> Path:
    """The file. Raises Configuration for one that cannot be read, before anything is started."""
    try:
        if not file.is_fifo():  # opening it would take the writer's end away from who reads it
            file.open("rb").close()
    except OSError as error:
        raise Configuration(
            f"{file} cannot be read: {error.strerror}; expected a file of events as JSON lines, plain or gzip, or no "
            "file for the story"
        ) from error
    return file


def play_file(stage: Stage, events: Path) -> int:
    """The exit code. Raises CommandFailed, BadInput, KafkaException."""
    screen, commands = stage.screen, stage.commands
    create_topics(stage)
    screen.act("publish", f"The events of {events.name} are published")
    published = commands.run("publish", str(events), tolerated=BadInput.exit_code)
    progress = progress_of(stage.cluster)
    if progress and not progress.published:
        why = "no line of it is one" if published else "it is empty"
        raise BadInput(f"{events} has no event: {why}; expected JSON lines, one event each (`publish --help`)")
    screen.act("fold", "A worker folds them: one state per run")
    _fold(stage)
    verified = verify(stage)
    found = Summary.read(stage)
    different = _compare(screen, events, {state["id"]: state for state in found.states})
    show_summary(screen, found, verified, None)
    show_next_steps(stage, found)
    return different or published


def _fold(stage: Stage) -> None:
    began = time.monotonic()
    worker = stage.commands.start("worker", "--until-end")
    with _bar(stage.screen) if stage.screen.terminal else _lines(stage.screen) as show:
        while worker.running():
            if progress := progress_of(stage.cluster):
                show(progress)
            time.sleep(LOOK_S)  # brokers do not tell when a group commits; they must be asked
    stage.commands.ended(worker)
    seconds = time.monotonic() - began
    progress = progress_of(stage.cluster)
    stage.screen.fact(
        f"{progress.folded:,} of {progress.published:,} events in {seconds:.1f} s" if progress else f"{seconds:.1f} s"
    )


@contextmanager
def _bar(screen: Screen) -> Iterator[Callable[[Progress], None]]:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Display

    columns = TextColumn(f"{INDENT}folded"), BarColumn(), MofNCompleteColumn()
    with Display(*columns, console=screen.console, transient=True) as display:
        task = display.add_task("", total=None)
        yield lambda progress: display.update(task, completed=progress.folded, total=progress.published)


@contextmanager
def _lines(screen: Screen) -> Iterator[Callable[[Progress], None]]:
    last = time.monotonic()

    def show(progress: Progress) -> None:
        nonlocal last
        if time.monotonic() - last >= LINE_S:
            last = time.monotonic()
            screen.fact(f"{progress.folded:,} of {progress.published:,} events folded")

    yield show


def _compare(screen: Screen, events: Path, states: Mapping[str, Any]) -> int:
    """The exit code."""
    expected = expected_states(events)
    if not expected:
        return 0
    found = sorted(differences(expected[1], states))
    screen.act("compare", f"The states are compared with the expected ones, in {expected[0].name}")
    screen.fact(f"{len(states):,} runs: {len(found):,} differences", "red" if found else "green")
    for line in found[:SHOWN]:
        screen.fact(line)
    return Different.exit_code if found else 0
