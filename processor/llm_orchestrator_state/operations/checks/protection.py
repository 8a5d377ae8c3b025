"""Who may listen in, and who may come in: TLS, logins, an authorizer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address

from ...hints import command
from ...kafka.acls import ROLES, Role, rules
from ...kafka.inspection import has_authorizer, rights
from ...kafka.topics import TopicSet
from ..deployment import Deployment
from ..findings import Finding, ok, skipped, warning

TLS_ADVICE = "set security.protocol to SASL_SSL, or to SSL with a client certificate (README, Security)"
AUTHORIZER_ADVICE = (
    "set authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer at the brokers, and give each role its "
    "ACLs: `{}` prints them"
)


def transport(deployment: Deployment) -> Iterator[Finding]:
    hosts = [each.advertised.host for each in deployment.brokers]
    yield transport_finding(deployment.settings.properties, hosts)


def transport_finding(properties: Mapping[str, str], hosts: Sequence[str]) -> Finding:
    """hosts: of the brokers, as clients are told."""
    check = "transport"
    protocol = properties.get("security.protocol", "plaintext").lower()
    certificate = any(name.startswith(("ssl.certificate.", "ssl.keystore.")) for name in properties)
    if protocol == "sasl_ssl" or (protocol == "ssl" and certificate):
        return ok(check, f"TLS, and a login by {'a password' if protocol == 'sasl_ssl' else 'a certificate'}")
    if protocol == "ssl":
        return warning(check, "TLS without a login: to the brokers everybody is the same", TLS_ADVICE)
    lacking = "no TLS and no login" if protocol == "plaintext" else "a login without TLS"
    if all(map(_is_loopback, hosts)):
        return ok(check, f"{lacking}, and no broker is on another machine")
    return warning(check, f"{lacking}: whoever is on the way reads what runs say, and may change it", TLS_ADVICE)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def access(deployment: Deployment) -> Iterator[Finding]:
    if not has_authorizer(deployment.admin, deployment.reachable()[0].id):
        yield open_finding([each.advertised.host for each in deployment.brokers])
        return
    allowed = rights(deployment.admin, list(deployment.topics.names().values()))
    if allowed:
        yield access_finding(deployment.topics, allowed)
    else:
        yield skipped("access", "there are no topics of which rights could be told")


def open_finding(hosts: Sequence[str]) -> Finding:
    found = "the brokers have no authorizer: everybody may do everything"
    if all(map(_is_loopback, hosts)):
        return ok("access", found)
    return warning("access", found, AUTHORIZER_ADVICE.format(_acls_command("processor")))


def _acls_command(role: Role) -> str:
    return command("topics", "acls", "--role", role, "--principal", "User:NAME")


def access_finding(names: TopicSet, allowed: Mapping[str, frozenset[str]]) -> Finding:
    """allowed: on the topics that exist, with what other rights imply."""
    fitting = [role for role in ROLES if not _lacking(role, names, allowed)]
    roles = f"may do on the topics what a {' and a '.join(fitting)} does" if fitting else "has no role"
    lacking = _lacking("processor", names, allowed)
    if lacking:
        lacks = "; ".join(f"{', '.join(which)} on {topic}" for topic, which in lacking.items())
        return warning(
            "access",
            f"this principal {roles}, and is no worker: it lacks {lacks}",
            f"if it is a worker's, do what `{_acls_command('processor')}` prints",
        )
    return ok("access", f"this principal {roles}; the group and transactional ids cannot be looked at from here")


def _lacking(role: Role, names: TopicSet, allowed: Mapping[str, frozenset[str]]) -> dict[str, list[str]]:
    """By topic that exists."""
    missing: dict[str, list[str]] = {}
    for rule in rules(role, names, group=""):
        if rule.resource == "topic" and rule.operation not in allowed.get(rule.name, {rule.operation}):
            missing.setdefault(rule.name, []).append(rule.operation)
    return missing
