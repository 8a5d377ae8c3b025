"""The command ``llm-orchestrator-state``. Its modules import what is heavy only inside the commands."""

from __future__ import annotations

import errno
import re
import sys
from collections.abc import Sequence
from typing import Annotated, Any, cast

import typer
from typer.main import get_command

from ..errors import INTERRUPTED, StateError
from ..hints import repeating
from ..settings import PROGRAM
from .commands import CommandsOnDemand, Group, Listed, Panels
from .flags import take_settings
from .session import Session
from .streams import STDOUT_CLOSED, open_closed_streams
from .terminal import data, drop_output, say, while_read

# typer's own class for mistakes on the command line has no public name of its own in every version.
UsageError = cast(type[Exception], typer.BadParameter.__base__)


PANELS: Panels = {
    "Try it": {
        "demo": Listed("demo"),
        "broker": Listed("broker", "app"),
        "simulate": Listed("simulate"),
    },
    "Topics and events": {
        "topics": Listed("topics", "app"),
        "publish": Listed("publish"),
        "rejections": Listed("rejections", "app"),
    },
    "Runs": {
        "list": Listed("runs", "list_"),
        "get": Listed("runs"),
        "watch": Listed("watch"),
        "history": Listed("history"),
        "checkpoints": Listed("checkpoints"),
        "restore": Listed("checkpoints"),
        "pause": Listed("control"),
        "resume": Listed("control"),
        "fail": Listed("control"),
        "delete": Listed("control"),
        "purge": Listed("purge"),
    },
    "Processor": {
        "worker": Listed("worker"),
        "verify": Listed("verify"),
        "rebuild": Listed("rebuild"),
    },
    "Operations": {
        "status": Listed("status"),
        "doctor": Listed("doctor"),
    },
}
"""The commands, in the order in which the help shows them."""


_PROPERTY = re.compile(r"(\w+(?:\.\w+)+=).*", re.DOTALL)


class CommandsAndSettings(Group):
    """Its commands are made when they are asked for. Help ends with the settings and the exit codes, from their tables."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = CommandsOnDemand(PANELS)

    def list_commands(self, ctx: Any) -> list[str]:
        del ctx  # what there is depends on nothing
        return list(self.commands)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        from .help import print_tables

        super().format_help(ctx, formatter)
        print_tables()

    def invoke(self, ctx: Any) -> None:
        try:
            with while_read():
                super().invoke(ctx)
        finally:
            with while_read():
                sys.stdout.flush()


app = typer.Typer(
    cls=CommandsAndSettings,
    help="Keeps the state of LLM workflow runs: transition events in, recoverable state out, on Apache Kafka.",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        data(f"{PROGRAM} {version(PROGRAM)}".encode())
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    del version  # its callback has answered


def run(arguments: Sequence[str]) -> int:
    """Run one command; returns its exit code. A mistake that a user can make ends with one line on stderr."""
    if not open_closed_streams():
        return _fail(STDOUT_CLOSED, 1)
    try:
        given, words = take_settings(arguments)
        with repeating(given.flags, given.config):
            answer = get_command(app).main(
                args=words or ["--help"], prog_name=PROGRAM, standalone_mode=False, obj=Session(given)
            )
    except StateError as error:
        return _fail(str(error) or (error.__doc__ or ""), error.exit_code)
    except UsageError as error:
        return _fail(_usage_text(error), 2)
    except (KeyboardInterrupt, typer.Abort):  # typer makes the one of the other, where it gets it first
        return INTERRUPTED
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EIO}:
            raise
        drop_output()
        return _fail(f"the output cannot be written: {error.strerror}", 1)
    except Exception as error:
        if (known := _kafka_failure(error)) is None:
            raise
        return _fail(str(known), known.exit_code)
    # typer gives back the code of an Exit, else what the command returned, and ours return nothing
    return answer if isinstance(answer, int) else 0


def _kafka_failure(error: Exception) -> StateError | None:
    """What a Kafka call that nobody expected to fail means; None for anything else."""
    if "confluent_kafka" not in sys.modules:
        return None
    from confluent_kafka import KafkaException

    from ..kafka.failures import as_state_error

    return as_state_error(error, "Kafka") if isinstance(error, KafkaException) else None


def _usage_text(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    command = context.command_path if context else PROGRAM
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    # a property that is not behind its flag is an argument too many, and may be a password
    shown = _PROPERTY.sub(r"\1…", message.rstrip("."))
    return f"{shown}; see `{command} --help`"


def _fail(message: str, code: int) -> int:
    # Several lines only where several things have to be repaired: topics.
    for number, line in enumerate(message.splitlines() or [""]):
        say(f"  {line}" if number else f"error: {line}")
    return code
