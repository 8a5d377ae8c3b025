"""Settings on the command line: accepted before, between and after the words of a command.

They are taken out of the arguments before typer sees them: declared on each of the commands they would be parsed in
one place only, and every declared option costs start-up time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..errors import Configuration
from ..settings import Setting, settings_table

CONFIG_FLAG = "--config"
PROPERTY_FLAG = "-X"


class Given(NamedTuple):
    """What the command line says about settings: (name, text) in the order given, and the configuration file."""

    flags: list[tuple[str, str]]
    config: str | None


def take_settings(arguments: Sequence[str]) -> tuple[Given, list[str]]:
    """The settings among the arguments, and the other arguments. Nothing is taken after ``--``.

    Raises Configuration for a flag without its value.
    """
    known = {setting.flag: setting for setting in settings_table().values()}
    flags: list[tuple[str, str]] = []
    config: str | None = None
    rest: list[str] = []
    words = iter(arguments)
    for word in words:
        if word == "--":
            return Given(flags, config), [*rest, word, *words]
        name, value = _split(word)
        setting = known.get(name)
        if setting is None and name != CONFIG_FLAG:
            rest.append(word)
            continue
        if value is None:
            value = next(words, None)
        if value is None:
            raise Configuration(f"{name} has no value; expected {setting.expected if setting else 'a TOML file'}")
        if setting is None:
            config = value
        else:
            flags.append((setting.name, value))
    return Given(flags, config), rest


def flag_text(setting: Setting) -> str:
    """As documentation shows it, with what stands for its value."""
    short = f"{PROPERTY_FLAG}, " if setting.name == "properties" else ""
    return f"{short}{setting.flag} {_value(setting)}"


def _value(setting: Setting) -> str:
    if setting.is_table:
        return "KEY=VALUE"
    kinds = {"seconds": "DURATION", "bytes": "SIZE"}
    return kinds.get(setting.unit) or setting.name.rpartition("_")[2].upper()


def _split(word: str) -> tuple[str, str | None]:
    """Name and attached value of a flag; -X is short for --property and takes its value attached or apart."""
    if word.startswith(PROPERTY_FLAG) and not word.startswith("--"):
        return "--property", word.removeprefix(PROPERTY_FLAG) or None
    name, separator, value = word.partition("=")
    return name, value if separator else None
