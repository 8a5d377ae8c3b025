"""typer's commands and groups: made when they are asked for, and with a help that shows no type beside a flag."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group


class Command(TyperCommand):
    def get_params(self, ctx: Any) -> list[Any]:
        return _without_types_of_flags(super().get_params(ctx))


class Group(TyperGroup):
    def get_params(self, ctx: Any) -> list[Any]:
        return _without_types_of_flags(super().get_params(ctx))


def _without_types_of_flags(parameters: list[Any]) -> list[Any]:
    """Those that typer adds by itself are among them: --help."""
    for each in parameters:
        if getattr(each, "is_flag", False):
            each.metavar = ""
    return parameters


class Listed(NamedTuple):
    """Where a command is: a module beside this one, and in it the function or typer app; "" for the command's own name."""

    module: str
    attribute: str = ""


Panels = Mapping[str, Mapping[str, Listed]]
"""By the panel of the help in which they are shown, and by their names."""


class CommandsOnDemand(MutableMapping[str, Any]):
    """Of a group: a command is imported and made when it is looked at. All of them would take a third of the start."""

    def __init__(self, panels: Panels) -> None:
        self._listed = {name: (panel, each) for panel, commands in panels.items() for name, each in commands.items()}
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = _made(name, *self._listed[name])
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._listed)

    def __len__(self) -> int:
        return len(self._listed)

    def __setitem__(self, name: str, command: Any) -> None:
        raise TypeError(f"command {name} belongs in the table of commands")

    def __delitem__(self, name: str) -> None:
        raise TypeError(f"command {name} stays in the table of commands")


def _made(name: str, panel: str, listed: Listed) -> Any:
    found = getattr(import_module(f".{listed.module}", __package__), listed.attribute or name)
    if isinstance(found, typer.Typer):
        command: Any = get_group(found)
    else:
        alone = typer.Typer(add_completion=False)
        alone.command(name, cls=Command)(found)
        command = get_command(alone)
    command.name = name
    command.rich_help_panel = panel
    return command
