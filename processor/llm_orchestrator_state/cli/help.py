"""The tables at the end of ``--help``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .. import errors
from ..settings import settings_table
from ..settings_sources import CONFIG_FILE
from .flags import flag_text

if TYPE_CHECKING:
    from rich.table import Table


DOCUMENTATION = """\
 Documentation: README.md of the project, which is also the package's description. An event as a line of JSON:
 schemas/transition-event.schema.json, in the project and in the installed package."""


def exit_codes() -> dict[int, str]:
    """What each exit code means, from the exceptions that have them."""
    meanings = {0: "Done.", 1: "An error that this program does not foresee.", errors.INTERRUPTED: "Interrupted."}
    for kind in vars(errors).values():
        if not isinstance(kind, type) or not issubclass(kind, errors.StateError) or kind is errors.StateError:
            continue
        if "exit_code" in vars(kind):  # else its parent speaks for it
            text = " ".join((kind.__doc__ or "").split()).partition(".")[0] + "."
            meanings[kind.exit_code] = " ".join(filter(None, [meanings.get(kind.exit_code), text]))
    return dict(sorted(meanings.items()))


def _two_columns() -> Table:
    from rich.table import Table

    grid = Table(box=None, show_header=False, pad_edge=False)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    return grid


def print_tables() -> None:
    from rich.console import Console
    from rich.panel import Panel

    settings = _two_columns()
    settings.add_row("[bold cyan]--config FILE[/]", f"TOML file of settings. [dim]\\[./{CONFIG_FILE}][/]")
    for setting in settings_table().values():
        shown = f"[dim]\\[{setting.default}][/]"
        settings.add_row(f"[bold cyan]{flag_text(setting)}[/]", f"{setting.doc} {shown}")
    codes = _two_columns()
    for code, meaning in exit_codes().items():
        codes.add_row(f"[bold cyan]{code}[/]", meaning)
    example = settings_table()["topic_prefix"].environment
    console = Console(highlight=False)
    title = "Settings, before or after any command"
    console.print(Panel(settings, title=title, title_align="left", border_style="dim"))
    console.print(
        f" Each is also a key of the file (with _ for -) and an environment variable, such as {example} "
        "(properties: key=value, separated by commas).\n"
    )
    console.print(Panel(codes, title="Exit codes", title_align="left", border_style="dim"))
    console.print(DOCUMENTATION)
