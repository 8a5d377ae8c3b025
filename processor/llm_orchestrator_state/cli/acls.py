"""``topics acls``: what a role must be allowed, as commands that allow it."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ..errors import Configuration
from .session import session
from .terminal import as_json, data

if TYPE_CHECKING:
    from ..kafka.acls import Rule

PRINCIPAL = re.compile(r"[A-Za-z]\w*:\S.*\Z")
"""A type, a colon and a name (Kafka's KafkaPrincipal)."""

_FLAGS = {"topic": "--topic", "group": "--group", "transactional-id": "--transactional-id"}


def acls(
    context: typer.Context,
    *,
    role: Annotated[
        Literal["publisher", "reader", "processor", "operator"],
        typer.Option(help="What it is for; who has two roles gets both."),
    ],
    principal: Annotated[
        str, typer.Option(metavar="TYPE:NAME", help="Who gets it, such as User:alice or User:CN=alice.")
    ],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object an ACL.")] = False,
) -> None:
    """Print the kafka-acls commands that allow a role all its work, and nothing else. Connects to nothing.

    Where the brokers want a login of whoever runs them, add --command-config FILE to each.
    """
    from ..kafka.acls import rules

    if not PRINCIPAL.match(principal):
        raise Configuration(f"principal is {principal!r}; expected a type, a colon and a name, such as User:alice")
    call = session(context)
    wanted = list(rules(role, call.topics, call.settings.group))
    if json:
        for each in wanted:
            data(as_json({"principal": principal, **each._asdict()}))
        return
    for line in commands(wanted, principal, call.bootstrap_servers):
        data(line.encode())


def commands(wanted: list[Rule], principal: str, bootstrap_servers: str) -> list[str]:
    """One a resource."""
    lines = []
    for resource, name, prefixed in dict.fromkeys(each[1:] for each in wanted):
        operations = [each.operation for each in wanted if each[1:] == (resource, name, prefixed)]
        words = ["kafka-acls", "--bootstrap-server", bootstrap_servers, "--add", "--allow-principal", principal]
        for operation in operations:
            words += ["--operation", _as_kafka_acls_has_it(operation)]
        words += [_FLAGS[resource], name] if resource in _FLAGS else ["--cluster"]
        words += ["--resource-pattern-type", "prefixed"] if prefixed else []
        lines.append(shlex.join(words))
    return lines


def _as_kafka_acls_has_it(operation: str) -> str:
    """`DescribeConfigs` of DESCRIBE_CONFIGS."""
    return operation.title().replace("_", "")
