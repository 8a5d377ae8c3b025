"""Commands to go on with, on what the demo leaves behind."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from ...settings import PROGRAM
from .outcome import failures, rejected, workflows
from .stage import Stage
from .summary import Summary


def show_next_steps(stage: Stage, found: Summary) -> None:
    """Each works as it is printed, in the state that the demo leaves."""
    screen, ending = stage.screen, stage.ending
    screen.heading("Try next")
    if not ending.topics_stay:
        screen.fact("The topics are deleted now. With --keep they stay, and commands to look at them stand here.")
        return
    ours = f"--topic-prefix {stage.settings.topic_prefix}"
    if not ending.local:
        ours += f" --bootstrap-servers {shlex.quote(stage.settings.bootstrap_servers or '')}"
    program = _program()
    if not ending.kafka_stays:
        screen.fact("Kafka is stopped now; its data stay until the next demo. First start it again:", "dim")
        screen.typed(f"{program} broker start")
    for words, why in _commands(found):
        screen.fact(why, "dim")
        screen.typed(f"{program} {words} {ours}")
    if ending.all_stays:
        screen.fact(f"The worker's store and all logs are in {stage.directory}", "dim")
    if ending.local:
        screen.fact(
            "When you have seen enough:"
            if ending.kafka_stays
            else "And in the end (demo --keep leaves Kafka running):",
            "dim",
        )
        screen.typed(f"{program} broker stop")


def _commands(found: Summary) -> Iterator[tuple[str, str]]:
    """Words, and what they show."""
    if failed := [each for each in failures(found.states) if each.error_type != "cancelled"]:
        yield f"history {failed[0].run}", "Why a run failed, step by step:"
    if paused := [state["id"] for state in found.states if state["status"] == "paused"]:
        yield f"get {paused[0]}", "What this one waits for:"
    if rejections := [each for each in rejected(found.rejections) if each.run]:
        yield f"rejections show {rejections[0].run}", "An event that was rejected, and its run at that moment:"
    if spent := workflows(found.states):
        yield f"get {spent[0].run} --json", "The most expensive run's whole state, as every consumer gets it:"
    if len(found.states) and not failed and not paused:
        yield f"get {found.states[0]['id']}", "A run, step by step:"


def _program() -> str:
    """As somebody in this directory has to type it."""
    beside = Path(sys.executable).with_name(PROGRAM)
    found = shutil.which(PROGRAM)
    if found and Path(found).samefile(beside if beside.exists() else found):
        return PROGRAM
    if not beside.exists():
        return f"{shlex.quote(sys.executable)} -m {PROGRAM.replace('-', '_')}"
    here = Path.cwd()
    return shlex.quote(str(beside.relative_to(here) if beside.is_relative_to(here) else beside))
