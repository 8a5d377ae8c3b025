"""The settings: one table from which files, environment variables, flags and documentation are read.

Sources in rising order of precedence: TOML file, environment, flags. Every setting has all three names:
``commit_interval`` in the file, ``LLM_ORCHESTRATOR_STATE_COMMIT_INTERVAL``, ``--commit-interval``.
"""

from __future__ import annotations

import functools
import os
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import msgspec

from .errors import Configuration
from .printable import without_userinfo
from .units import DURATION_FORM

PROGRAM = "llm-orchestrator-state"
ENVIRONMENT_PREFIX = "LLM_ORCHESTRATOR_STATE_"

KAFKA_NAME = r"^[A-Za-z0-9._-]+\Z"
"""Characters that Kafka allows in topic names and group.instance.id."""

LONGEST_PREFIX = 249 - len(".checkpoints")
"""Kafka's limit for a topic name, less the longest suffix of the topic set."""


def xdg_directory(kind: Literal["STATE", "CONFIG", "CACHE"], environ: Mapping[str, str] = os.environ) -> Path:
    """This program's directory of that kind (XDG Base Directory Specification 0.8; relative values are ignored)."""
    fallback = {"STATE": ".local/state", "CONFIG": ".config", "CACHE": ".cache"}[kind]
    given = environ.get(f"XDG_{kind}_HOME", "")
    base = Path(given) if given.startswith("/") else Path(environ.get("HOME") or Path.home()) / fallback
    return base / PROGRAM


def _about(doc: str, expected: str, *, unit: str = "", default: str | None = None, **limits: Any) -> msgspec.Meta:
    extra = {"expected": expected, "unit": unit, "default": default}
    return msgspec.Meta(description=doc, extra=extra, **limits)


def showable(name: str, value: Any) -> Any:
    """A setting's value as it may be shown: of tables, which may hold passwords, the keys; of an address no userinfo."""
    if isinstance(value, Mapping):
        return dict.fromkeys(value, "…")
    return without_userinfo(value) if name == "schema_registry_url" and isinstance(value, str) else value


class Settings(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Checked settings. Durations are seconds, sizes bytes."""

    bootstrap_servers: (
        Annotated[
            str,
            _about(
                "Kafka brokers to connect to first.",
                "host:port, several separated by commas",
                default="the local broker, when it runs",
            ),
        ]
        | None
    ) = None
    topic_prefix: Annotated[
        str,
        _about(
            "First part of the names of the topic set: <prefix>.events, .state, and so on.",
            f"1 to {LONGEST_PREFIX} letters, digits, '.', '_' or '-'",
            pattern=KAFKA_NAME,
            min_length=1,
            max_length=LONGEST_PREFIX,
        ),
    ] = "llm-workflows"
    state_dir: Annotated[
        Path,
        _about(
            "Directory of the worker's local stores; several workers of a host share it.",
            "a directory",
            default=f"$XDG_STATE_HOME/{PROGRAM}",
        ),
    ] = msgspec.field(default_factory=lambda: xdg_directory("STATE"))
    group: Annotated[
        str,
        _about("Consumer group of the workers.", "a group name", default="<topic-prefix>.processor"),
    ] = ""
    instance_id: (
        Annotated[
            str,
            _about(
                "Identity of this worker in the group (group.instance.id), stable across restarts; -0, -1, … follow it "
                "where there are several processes.",
                "1 to 100 letters, digits, '.', '_' or '-'",
                default="<host>-<4 hex digits of the state directory's path>-<first free slot in it>",
                pattern=KAFKA_NAME,
                min_length=1,
                max_length=100,
            ),
        ]
        | None
    ) = None
    processes: (
        Annotated[
            int,
            _about(
                "Processes of this worker; each has partitions and an identity of its own.",
                "a whole number from 1 to 1000",
                default="one per core, at most one per partition; 1 with an instance_id",
                ge=1,
                le=1000,
            ),
        ]
        | None
    ) = None
    commit_interval: Annotated[
        float,
        _about(
            "Longest time between two commits under load; a drained input commits at once.",
            f"{DURATION_FORM}, from 1ms to 60s and at most half of transaction_timeout",
            unit="seconds",
            ge=0.001,
            le=60,
        ),
    ] = 0.2
    session_timeout: Annotated[
        float,
        _about(
            "How long a worker may be silent before the others take its partitions.",
            f"{DURATION_FORM}, from 1s to 30m",
            unit="seconds",
            ge=1,
            le=1800,
        ),
    ] = 10.0
    transaction_timeout: Annotated[
        float,
        _about(
            "When the broker aborts the open transaction of a worker that died.",
            f"{DURATION_FORM}, from 1s to 15m",
            unit="seconds",
            ge=1,
            le=900,
        ),
    ] = 10.0
    schema_registry_url: (
        Annotated[
            str,
            _about(
                "Confluent-compatible schema registry; without one, Avro single-object encoding is written.",
                "an http:// or https:// address",
                default="none",
                pattern=r"^https?://.",
            ),
        ]
        | None
    ) = None
    schema_registry_mode: Annotated[
        Literal["register", "lookup"],
        _about("Whether schemas are registered there, or only looked up.", "register or lookup"),
    ] = "register"
    schema_registry_properties: Annotated[
        dict[str, str],
        _about(
            "Properties of the schema registry's client: basic.auth.user.info, ssl.ca.location, timeout.",
            "a table of properties in the file, key=value pairs separated by commas elsewhere",
            default="none",
        ),
    ] = msgspec.field(default_factory=dict)
    properties: Annotated[
        dict[str, str],
        _about(
            "Properties passed to every Kafka client, such as security.protocol (librdkafka's CONFIGURATION.md).",
            "a table of properties in the file, key=value pairs separated by commas elsewhere",
            default="none",
        ),
    ] = msgspec.field(default_factory=dict)
    memory: (
        Annotated[
            int,
            _about(
                "Most memory that a worker takes, all its processes together.",
                "a size of at least 256MiB, such as 512MiB, 1GiB or a number of bytes",
                unit="bytes",
                default="1GiB; 256MiB a process where there are more than four",
                ge=2**28,
            ),
        ]
        | None
    ) = None
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        _about("Least severe messages to log.", "debug, info, warning or error"),
    ] = "info"
    log_format: Annotated[
        Literal["text", "json"],
        _about("Form of the log on stderr.", "text or json"),
    ] = "text"
    metrics_port: (
        Annotated[
            int,
            _about(
                "Port on which the worker serves the Prometheus metrics of all its processes.",
                "a port from 1 to 65535",
                default="none",
                ge=1,
                le=65535,
            ),
        ]
        | None
    ) = None
    metrics_address: Annotated[
        str,
        _about(
            "Address of this machine at which metrics are served; 0.0.0.0 is all of them.",
            "an IP address or a host name of this machine",
            min_length=1,
        ),
    ] = "127.0.0.1"

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [(name, showable(name, getattr(self, name))) for name in self.__struct_fields__]

    def __post_init__(self) -> None:
        if not self.group:
            msgspec.structs.force_setattr(self, "group", f"{self.topic_prefix}.processor")
        if self.commit_interval > self.transaction_timeout / 2:
            raise Configuration(
                f"commit_interval is {self.commit_interval:g} s and transaction_timeout {self.transaction_timeout:g} s; "
                "expected a commit interval of at most half of the transaction time-out"
            )


class Setting(NamedTuple):
    """One row of the table of settings.

    type: the Python type with its limits, as msgspec converts to it.
    default: as documentation shows it, and as it can be given. unit: "seconds", "bytes" or "".
    expected: completes "expected …".
    """

    name: str
    type: Any
    default: str
    unit: str
    doc: str
    expected: str

    @property
    def environment(self) -> str:
        return ENVIRONMENT_PREFIX + self.name.upper()

    @property
    def is_table(self) -> bool:
        """Key-value pairs, merged key by key over the sources; on the command line one pair per flag."""
        return self.name.endswith("properties")

    @property
    def flag(self) -> str:
        singular = self.name.removesuffix("ies") + "y" if self.is_table else self.name
        return "--" + singular.replace("_", "-")


@functools.cache
def settings_table() -> dict[str, Setting]:
    """All settings by name, in the order of documentation."""
    hints = typing.get_type_hints(Settings, include_extras=True)
    fields = {field.name: field for field in msgspec.structs.fields(Settings)}
    return {name: _setting(name, hints[name], fields[name].default) for name in fields}


def _setting(name: str, hint: Any, default: object) -> Setting:
    if not hasattr(hint, "__metadata__"):  # X | None, where None is what an absent setting is
        hint = typing.get_args(hint)[0]
    meta: msgspec.Meta = hint.__metadata__[0]
    extra = meta.extra or {}
    return Setting(
        name=name,
        type=hint,
        default=extra["default"] or _default_text(default, extra["unit"]),
        unit=extra["unit"],
        doc=meta.description or "",
        expected=extra["expected"],
    )


def _default_text(default: object, unit: str) -> str:
    match unit:
        case "seconds":
            return f"{default:g}s"
        case "bytes":
            assert isinstance(default, int)
            return f"{default >> 20}MiB"
    return str(default)
