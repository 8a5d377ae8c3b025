"""Where settings come from: TOML file, environment, flags."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from .errors import Configuration
from .secret_files import literally, secret_value
from .settings import (
    ENVIRONMENT_PREFIX,
    PROGRAM,
    Setting,
    Settings,
    settings_table,
    showable,
    xdg_directory,
)
from .units import parse_duration, parse_size

CONFIG_VARIABLE = ENVIRONMENT_PREFIX + "CONFIG"
CONFIG_FILE = f"{PROGRAM}.toml"

_OF_KUBERNETES = re.compile(r"_SERVICE_HOST$|_SERVICE_PORT(_\w+)?$|_PORT_\d+_(TCP|UDP|SCTP)(_\w+)?$|STATE_PORT$")
"""Variables of a service, which Kubernetes puts into every container of its namespace."""

_PAIR_SEPARATOR = re.compile(r"(?<!\\),(?=\s*[A-Za-z0-9_.-]+\s*=)")
"""A comma that begins another key=value, so that values may hold commas; a backslash keeps any comma."""


def load(
    flags: Iterable[tuple[str, str]] = (),
    *,
    config: str | None = None,
    environ: Mapping[str, str] = os.environ,
    directory: Path | None = None,
) -> Settings:
    """The settings of this call.

    flags: name and text, in the order given; a table's flag holds one key=value.
    config: the file named on the command line. directory: where the default file is looked for (None: the current).
    Raises Configuration, naming source, setting, what was found and what is expected.
    """
    values: dict[str, Any] = {}
    path = config_path(config, environ, directory or Path())
    sources = [_from_file(path) if path else [], _from_environment(environ), _from_flags(flags)]
    for source, name, found in (entry for entries in sources for entry in entries):
        setting = settings_table()[name]
        value = _convert(source, setting, found)
        if setting.is_table:
            values.setdefault(name, {}).update(value)
        else:
            values[name] = value
    for name, table in values.items():
        if settings_table()[name].is_table:
            values[name] = {key: secret_value(name, key, text) for key, text in table.items()}
    values.setdefault("state_dir", xdg_directory("STATE", environ))
    return Settings(**values)


def as_environment(settings: Settings) -> dict[str, str]:
    """Variables from which load() makes these settings again, without any file: for a process that is started with them.

    Raises Configuration for tables that cannot be written in one variable.
    """
    values = {name: getattr(settings, name) for name in settings_table()}
    texts = {name: _table_text(name, value) if isinstance(value, dict) else value for name, value in values.items()}
    table = settings_table()
    given = {table[name].environment: str(text) for name, text in texts.items() if text not in {None, ""}}
    return {CONFIG_VARIABLE: os.devnull, **given}


def _table_text(name: str, pairs: Mapping[str, str]) -> str:
    # a backslash keeps the comma behind it, and behind the last pair there is none
    texts = {key: literally(value).replace(",", "\\,") for key, value in pairs.items()}
    parts = sorted((f"{key}={text}" for key, text in texts.items()), key=_ends_open)
    if any(map(_ends_open, parts[:-1])):
        raise Configuration(f"{name}: found several values that end with a backslash; expected at most one")
    return ",".join(parts)


def _ends_open(pair: str) -> bool:
    return pair.endswith("\\")


def config_path(config: str | None, environ: Mapping[str, str], directory: Path) -> Path | None:
    """The file to read: the one asked for, else the first default one that exists."""
    asked = config or environ.get(CONFIG_VARIABLE)
    if asked:
        return Path(asked).expanduser()
    candidates = (directory / CONFIG_FILE, xdg_directory("CONFIG", environ) / "config.toml")
    # in a directory that this user may not enter there is none for him
    return next((path for path in candidates if os.access(path, os.F_OK) and path.is_file()), None)


def misspelled_variables(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """Variables with our prefix that are no setting, each with the one that is most like it.

    Those that Kubernetes defines for every service, such as <SERVICE>_SERVICE_HOST, are left alone.
    """
    known = {setting.environment for setting in settings_table().values()} | {CONFIG_VARIABLE}
    names = [name.removeprefix(ENVIRONMENT_PREFIX) for name in known]  # the prefix alone would make all look alike
    unknown = [
        name
        for name in environ
        if name.startswith(ENVIRONMENT_PREFIX) and name not in known and not _OF_KUBERNETES.search(name)
    ]
    return [
        (name, f"{ENVIRONMENT_PREFIX}{_nearest(name.removeprefix(ENVIRONMENT_PREFIX), names, 0)}") for name in unknown
    ]


def _from_file(path: Path) -> list[tuple[str, str, Any]]:
    try:
        with path.open("rb") as file:
            content = tomllib.load(file)
    except OSError as error:
        raise Configuration(f"configuration file {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Configuration(f"configuration file {path} is not valid TOML: {error}") from error
    for name in content:
        if name not in settings_table():
            raise Configuration(f"{path}: {name} is not a setting{_suggestion(name, settings_table())}")
    return [(str(path), name, found) for name, found in content.items()]


def _from_environment(environ: Mapping[str, str]) -> list[tuple[str, str, Any]]:
    present = [(setting, environ.get(setting.environment, "")) for setting in settings_table().values()]
    # An empty variable counts as unset: that is how compose files and manifests leave one out.
    return [("environment", setting.name, _pairs(setting, text)) for setting, text in present if text]


def _from_flags(flags: Iterable[tuple[str, str]]) -> list[tuple[str, str, Any]]:
    table = settings_table()
    return [("command line", name, _pair(table[name], text) if table[name].is_table else text) for name, text in flags]


def _pairs(setting: Setting, text: str) -> Any:
    if not setting.is_table:
        return text
    return {key: value for part in _PAIR_SEPARATOR.split(text) for key, value in _pair(setting, part).items()}


def _pair(setting: Setting, text: str) -> dict[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not key.strip():
        # The text is not shown: it may hold a password.
        raise Configuration(f"{setting.name}: found a part without '='; expected key=value")
    return {key.strip(): value.replace("\\,", ",")}


def _convert(source: str, setting: Setting, found: Any) -> Any:
    try:
        if setting.is_table:
            return _flat(found)
        return msgspec.convert(_plain(setting, found), setting.type, strict=False, dec_hook=_path)
    except (msgspec.ValidationError, Configuration) as error:
        shown = "" if setting.is_table else f" is {showable(setting.name, found)!r}"
        raise Configuration(f"{source}: {setting.name}{shown}; expected {setting.expected}") from error


def _plain(setting: Setting, found: Any) -> Any:
    """Text in a unit, or any case, as the plain value that it stands for."""
    if isinstance(found, bool):
        raise msgspec.ValidationError("no setting is a boolean, and Python's are integers")
    if not isinstance(found, str):
        return found
    match setting.unit:
        case "seconds":
            return parse_duration(found)
        case "bytes":
            return parse_size(found)
    return found.lower() if setting.name.startswith("log_") else found


def _path(kind: type, found: Any) -> Any:
    if kind is not Path or not isinstance(found, str) or not found:
        raise msgspec.ValidationError(f"{found!r} is not a path")
    return Path(found).expanduser()


def _flat(table: Any, prefix: str = "") -> dict[str, str]:
    """Client properties as text. TOML reads an unquoted `a.b = 1` as nested tables: joined with dots again."""
    if not isinstance(table, dict):
        raise msgspec.ValidationError("not a table")
    flat: dict[str, str] = {}
    for key, value in table.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{key}.")
        elif isinstance(value, bool):
            flat[prefix + key] = str(value).lower()
        elif isinstance(value, str | int | float):
            flat[prefix + key] = str(value)
        else:
            raise msgspec.ValidationError(f"{prefix}{key} is neither text nor a number nor a boolean")
    return flat


def _nearest(name: str, known: Iterable[str], likeness: float = 0.8) -> str | None:
    import difflib  # only for the text of a mistake

    return next(iter(difflib.get_close_matches(name, sorted(known), n=1, cutoff=likeness)), None)


def _suggestion(name: str, known: Iterable[str]) -> str:
    near = _nearest(name.replace("-", "_"), known)
    return f"; did you mean {near}?" if near else f"; the settings are {', '.join(known)}"
