"""The demo: a story on a real Kafka, or a file of events through it, with the commands that anybody would type."""

from __future__ import annotations

from pathlib import Path

from ...settings import Settings
from ..interrupts import raised_as_keyboard_interrupt
from .commands import CommandFailed
from .file import play_file, readable
from .screen import Screen
from .stage import stage
from .story import tell_story


def run_demo(file: Path | None = None, settings: Settings | None = None, *, keep: bool = False) -> int:
    """Tell the story, or take a file of events through it; show what came out, and verify it. Returns the exit code.

    file: JSON lines, plain or gzip; None for the story.
    settings: of all commands. Topics, group and state directory are the demo's own nevertheless, and where no address
        is given Kafka is the local broker.
    keep: leave the broker, the topics and the worker's store as they are at the end.

    Raises Configuration for a file that cannot be read, BadInput for one without any event, StateDirectory while
    another demo uses the local broker, MissingProgram, Connection; KeyboardInterrupt after a signal, when all is
    cleaned up.
    """
    events = readable(file) if file else None
    with raised_as_keyboard_interrupt(), stage(Screen(), settings or Settings(), keep=keep) as ready:
        try:
            return play_file(ready, events) if events else tell_story(ready)
        except CommandFailed as failed:
            return failed.exit_code
