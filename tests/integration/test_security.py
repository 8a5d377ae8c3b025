"""TLS, logins and ACLs on a real broker: each role does all its work with the rights that are documented, and no more."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import KafkaException

from llm_orchestrator_state.errors import Connection, MissingProgram, NotAllowed, StateError, TimedOut
from llm_orchestrator_state.kafka.acls import ROLES, Role, Rule, rules
from llm_orchestrator_state.kafka.admin import Admin
from llm_orchestrator_state.kafka.failures import is_refusal
from llm_orchestrator_state.kafka.topics import TopicSet
from tests.integration import roles
from tests.integration.attempts import administers, begins_as, commits_to, reads_from, writes_to
from tests.integration.harness import Stage
from tests.integration.reading import working
from tests.integration.roles import Site, furnish
from tests.integration.secured import SecuredKafka, User, secured_kafka

PASSWORD = "correct horse, battery=staple\\"

REFUSED = re.compile(r"authoriz|refused|not allowed", re.IGNORECASE)

pytestmark = pytest.mark.usefixtures("nothing_configured")


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    try:
        with secured_kafka(tmp_path_factory.mktemp("secured")) as kafka:
            yield kafka
    except MissingProgram as missing:
        pytest.skip(f"a broker with ACLs {missing}")


@pytest.fixture(scope="module")
def worked_on(secured: SecuredKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """With runs, a rejection and a worker."""
    stage = Stage(secured.bootstrap, f"test-{uuid.uuid4().hex[:12]}", tmp_path_factory.mktemp("worked-on"))
    furnish(stage)
    with working(stage):
        yield stage
    stage.close()


@pytest.fixture(scope="module")
def unattended(secured: SecuredKafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """With the same, and none."""
    stage = Stage(secured.bootstrap, f"test-{uuid.uuid4().hex[:12]}", tmp_path_factory.mktemp("unattended"))
    furnish(stage)
    yield stage
    stage.close()


def rules_of(topics: TopicSet, *wanted: Role) -> list[Rule]:
    return [rule for role in wanted for rule in rules(role, topics, f"{topics.prefix}.processor")]


def user_of(secured: SecuredKafka, topics: TopicSet, *wanted: Role) -> User:
    user = secured.with_password(f"{'-'.join(wanted)}-{uuid.uuid4().hex[:6]}", PASSWORD)
    secured.grant(user, rules_of(topics, *wanted))
    return user


# --- who one is -------------------------------------------------------------------------------------------------------


def test_a_certificate_is_a_login_too(
    secured: SecuredKafka, unattended: Stage, capfd: pytest.CaptureFixture[str]
) -> None:
    user = secured.with_certificate("publisher")
    site = Site(unattended, user, capfd)
    with pytest.raises(Connection, match="authorization failed"):
        roles.publishes(site)
    secured.grant(user, rules_of(unattended.topics, "publisher"))
    roles.publishes(site)


@pytest.mark.parametrize("listener", ["LOGIN", "CERTIFICATE"])
def test_nobody_comes_in_without_credentials(secured: SecuredKafka, listener: str) -> None:
    trusting = {"security.protocol": "SSL", "ssl.ca.location": str(secured.authority.file)}
    with pytest.raises(Connection):
        Admin(secured.address_of(listener), trusting, timeout_s=3)
    with pytest.raises(Connection):
        Admin(secured.address_of(listener), timeout_s=3)


def test_a_wrong_password_is_told_at_once_and_not_shown(secured: SecuredKafka) -> None:
    user = secured.with_password("somebody", PASSWORD)
    with pytest.raises(Connection, match="refused the credentials") as raised:
        Admin(user.bootstrap, {**user.properties, "sasl.password": "wrong-one"})
    assert "wrong-one" not in str(raised.value)


def test_a_broker_whose_certificate_is_of_an_unknown_authority_is_not_talked_to(secured: SecuredKafka) -> None:
    user = secured.with_password("somebody", PASSWORD)
    known = {name: value for name, value in user.properties.items() if name != "ssl.ca.location"}
    with pytest.raises(Connection, match="certificate verify failed"):
        Admin(user.bootstrap, known, timeout_s=3)


# --- what one may do --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ROLES)
def test_a_role_can_do_all_its_work(
    secured: SecuredKafka, worked_on: Stage, unattended: Stage, role: Role, capfd: pytest.CaptureFixture[str]
) -> None:
    stage = unattended if role == "processor" else worked_on
    site = Site(stage, user_of(secured, stage.topics, role), capfd)
    for work in roles.WORK[role]:
        work(site)


def test_who_publishes_and_reads_has_both_roles(
    secured: SecuredKafka, worked_on: Stage, capfd: pytest.CaptureFixture[str]
) -> None:
    site = Site(worked_on, user_of(secured, worked_on.topics, "publisher", "reader"), capfd)
    for work in (roles.keeps_states, roles.confirms):
        work(site)


def test_an_operator_can_make_the_topics_and_none_without_the_right_to(
    secured: SecuredKafka, worked_on: Stage, topic_prefix: str, capfd: pytest.CaptureFixture[str]
) -> None:
    topics = TopicSet(topic_prefix)
    operator = user_of(secured, topics, "operator")
    site = Site(worked_on, operator, capfd)
    for name in topics.names().values():
        secured.revoke(operator, Rule("CREATE", "topic", name))
    for name in topics.names().values():
        with pytest.raises(StateError, match=f"creating topic {topics.prefix}\\."):
            site.command("--topic-prefix", topics.prefix, "topics", "create")
        secured.grant(operator, [Rule("CREATE", "topic", name)])
    write = Rule("WRITE", "topic", topics.meta)
    secured.revoke(operator, write)
    with pytest.raises(StateError, match=f"writing topic {topics.meta}: .*authorization failed"):
        site.command("--topic-prefix", topics.prefix, "topics", "create")
    secured.grant(operator, [write])
    site.command("--topic-prefix", topics.prefix, "topics", "create")


def needed(role: Role) -> list[tuple[str, str]]:
    """By operation and topic, or kind of resource. CREATE and recording the format have a test of their own, and no
    reader looks into the outputs yet.
    """
    topics = TopicSet("p")
    of_topic = {name: topic for topic, name in topics.names().items()}
    found = [(rule.operation, of_topic.get(rule.name, rule.resource)) for rule in rules_of(topics, role)]
    apart = {("CREATE", topic) for topic in topics.names()} | {("WRITE", "meta")}
    return [each for each in found if each not in apart and (role, *each) != ("reader", "READ", "outputs")]


QUICK: set[tuple[Role, str, str]] = {
    ("publisher", "WRITE", "events"), ("reader", "READ", "state"), ("reader", "READ", "rejections"),
    ("processor", "WRITE", "rejections"), ("processor", "READ", "group"),
    ("operator", "WRITE", "events"),
}  # fmt: skip
ALL: list[tuple[Role, str, str]] = [(role, *each) for role in ROLES for each in needed(role)]


@pytest.mark.parametrize(
    ("role", "operation", "on"),
    [pytest.param(*each, marks=() if each in QUICK else pytest.mark.long) for each in ALL],
)
def test_without_any_one_of_its_rights_a_role_cannot_do_its_work(
    secured: SecuredKafka,
    worked_on: Stage,
    unattended: Stage,
    role: Role,
    operation: str,
    on: str,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    stage = unattended if role == "processor" else worked_on
    names = {**stage.topics.names(), "group": f"{stage.topics.prefix}.processor"}
    user = user_of(secured, stage.topics, role)
    [taken] = [
        rule for rule in rules_of(stage.topics, role) if (rule.operation, rule.name) == (operation, names.get(on, rule.name))
        and on in {rule.resource, *stage.topics.names()}
    ]  # fmt: skip
    secured.revoke(user, taken)
    default: roles.Work = roles.processes if role == "processor" else roles.checks_topics
    work = roles.NEEDED_FOR[role].get((operation, on), default)
    with pytest.raises((StateError, KafkaException, AssertionError)) as raised:
        work(Site(stage, user, capfd))
    # and who may not ask the group hears nothing of a duplicate: librdkafka waits for a coordinator that it may not know
    assert isinstance(raised.value, TimedOut) or REFUSED.search(f"{raised.value} {caplog.text}"), raised.value


def test_a_worker_that_may_begin_no_transactions_ends_and_tells_so(
    secured: SecuredKafka, unattended: Stage, capfd: pytest.CaptureFixture[str]
) -> None:
    user = user_of(secured, unattended.topics, "processor")
    (of_ids,) = {
        rule for rule in rules_of(unattended.topics, "processor")
        if (rule.operation, rule.name) == ("WRITE", unattended.topics.transactional_ids)
    }  # fmt: skip
    secured.revoke(user, of_ids)
    with pytest.raises(NotAllowed, match=r"beginning transactions as .*; check the credentials and ACLs"):
        roles.processes(Site(unattended, user, capfd))


@pytest.mark.parametrize("role", ROLES)
def test_a_role_can_do_nothing_else(secured: SecuredKafka, topic_prefix: str, tmp_path: Path, role: Role) -> None:
    stage = Stage(secured.bootstrap, topic_prefix, tmp_path, partitions=1)
    topics, group = stage.topics, f"{topic_prefix}.processor"
    user = user_of(secured, topics, role)
    answers = {
        **{("READ", name): reads_from(user, name) for name in topics.names().values()},
        **{("WRITE", name): writes_to(user, name) for name in topics.names().values()},
        ("READ", group): commits_to(user, group, topics.events),
        ("WRITE", topics.transactional_ids): begins_as(user, f"{topics.transactional_ids}w0"),
    }
    granted = {(rule.operation, rule.name) for rule in rules_of(topics, role)}
    assert {asked for asked, error in answers.items() if error is None} == granted & answers.keys()
    never = {
        **administers(user, topics),
        "another group": commits_to(user, "another", topics.events),
        "another id": begins_as(user, "another.w0"),
        "nobody's topic": reads_from(user, "__consumer_offsets"),
    }
    refusals = [error for error in [*answers.values(), *never.values()] if error is not None]
    assert all(never.values()), never
    assert [error for error in refusals if not is_refusal(error)] == []
    stage.close()
