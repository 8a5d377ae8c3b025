"""Commands that messages name, as whoever reads them has to type them: with the flags that said where to work."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from .settings import PROGRAM, settings_table

PLACES = ("topic_prefix", "group", "bootstrap_servers")
"""The settings that say where. Others are not repeated: some are secret, and none leads elsewhere."""

_given: list[str] = []
"""Flags of this process's command line: it has one, whatever part of it makes a message."""


@contextmanager
def repeating(flags: Sequence[tuple[str, str]], config: str | None) -> Iterator[None]:
    """While this lasts, commands repeat what was given so. flags: settings' names and texts; the last of a name counts."""
    places = {name: text for name, text in flags if name in PLACES}
    words = [word for name in PLACES if name in places for word in (settings_table()[name].flag, places[name])]
    _given[:] = [*(("--config", config) if config is not None else ()), *words]
    try:
        yield
    finally:
        _given.clear()


def command(*words: str) -> str:
    """These words of the command line, with the program and what is repeated; a flag among the words stays as it is."""
    pairs = zip(_given[::2], _given[1::2], strict=True)
    repeated = [word for flag, value in pairs if flag not in words for word in (flag, value)]
    return shlex.join([PROGRAM, *words, *repeated])
