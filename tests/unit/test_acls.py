from __future__ import annotations

import json
import shlex
from collections.abc import Iterator

import pytest

from llm_orchestrator_state.cli.main import run
from llm_orchestrator_state.kafka.acls import GRANTS, ROLES, Role, Rule, rules
from llm_orchestrator_state.kafka.topic_settings import SETTINGS
from llm_orchestrator_state.kafka.topics import TopicSet
from llm_orchestrator_state.operations.checks.protection import access_finding
from tests.readme import tables, words

TOPICS, GROUP = TopicSet("agents"), "our group's"
PRINCIPAL = "User:CN=al ice;rm -rf,O='x'"
RESOURCES = {"--topic": "topic", "--group": "group", "--transactional-id": "transactional-id"}

pytestmark = pytest.mark.usefixtures("_nothing_configured")


@pytest.fixture
def _nothing_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLM_ORCHESTRATOR_STATE_CONFIG", "/dev/null")


def printed(role: str, *words: str, capfd: pytest.CaptureFixture[str], principal: str = PRINCIPAL) -> str:
    places = ["--bootstrap-servers", "kafka:9093", "--topic-prefix", TOPICS.prefix, "--group", GROUP]
    assert run([*places, "topics", "acls", "--role", role, "--principal", principal, *words]) == 0
    return capfd.readouterr().out


def meant(line: str) -> Iterator[Rule]:
    """By kafka-acls, which takes every flag but --operation once."""
    program, *left = shlex.split(line)
    assert program == "kafka-acls"
    operations, given = [], {}
    while left:
        flag = left.pop(0)
        value = "" if flag in {"--add", "--cluster"} else left.pop(0)
        if flag == "--operation":
            operations.append(value)
        else:
            assert flag not in given
            given[flag] = value
    assert (given.pop("--bootstrap-server"), given.pop("--allow-principal"), given.pop("--add")) == (
        "kafka:9093",
        PRINCIPAL,
        "",
    )
    prefixed = given.pop("--resource-pattern-type", "literal") == "prefixed"
    [(flag, name)] = given.items()
    kind = RESOURCES.get(flag, "cluster")
    for operation in operations:
        spelled = "".join(f"_{letter}" if letter.isupper() else letter.upper() for letter in operation).lstrip("_")
        yield Rule(spelled, kind, name or "kafka-cluster", prefixed)  # type: ignore[arg-type] # compared below


@pytest.mark.parametrize("role", ROLES)
def test_the_lines_that_are_printed_allow_what_the_role_has_and_nothing_else(
    role: Role, capfd: pytest.CaptureFixture[str]
) -> None:
    found = [rule for line in printed(role, capfd=capfd).splitlines() for rule in meant(line)]
    assert sorted(found) == sorted(rules(role, TOPICS, GROUP))
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("role", ROLES)
def test_as_json_there_is_one_object_an_acl(role: Role, capfd: pytest.CaptureFixture[str]) -> None:
    objects = [json.loads(line) for line in printed(role, "--json", capfd=capfd).splitlines()]
    assert {each.pop("principal") for each in objects} == {PRINCIPAL}
    assert [Rule(**each) for each in objects] == list(rules(role, TOPICS, GROUP))


@pytest.mark.parametrize("principal", ["alice", "User:", ":alice", "User: ", "", "User:a\nb"])
def test_what_is_no_principal_is_refused(principal: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["--bootstrap-servers", "k:1", "topics", "acls", "--role", "reader", "--principal", principal]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert "expected a type, a colon and a name" in err
    assert len(err.splitlines()) == 1


def test_no_role_is_given_what_another_grant_of_its_includes() -> None:
    for grants in GRANTS.values():
        assert len({(each.resource, each.topic) for each in grants}) == len(grants)
        for each in grants:
            assert not ({"READ", "WRITE"} & set(each.operations) and "DESCRIBE" in each.operations)


def test_only_the_processor_writes_what_the_processor_writes() -> None:
    writers = {
        topic: {role for role, grants in GRANTS.items() for each in grants
                if each.topic == topic and "WRITE" in each.operations}
        for topic in SETTINGS
    }  # fmt: skip
    assert writers == {
        "events": {"publisher", "operator"}, "meta": {"operator"},
        **{topic: {"processor"} for topic in ("state", "checkpoints", "outputs", "rejections")},
    }  # fmt: skip


def test_the_table_in_the_readme_has_the_acls() -> None:
    (table,) = tables("ACLs")
    named = {f"PREFIX.{topic}": ("topic", topic) for topic in SETTINGS} | {
        "the group": ("group", ""), "transactional ids that begin with PREFIX.": ("transactional-id", ""),
        "the cluster": ("cluster", ""),
    }  # fmt: skip
    told = [
        (role, tuple(words(operations)), *named[resource], purpose) for role, operations, resource, purpose in table
    ]
    assert told == [
        (role, each.operations, each.resource, each.topic, each.purpose) for role in ROLES for each in GRANTS[role]
    ]


def test_what_doctor_expects_of_a_worker_is_what_the_processor_is_given() -> None:
    processor = [rule for rule in rules("processor", TOPICS, GROUP) if rule.resource == "topic"]
    allowed = {name: frozenset({"DESCRIBE"}) for name in TOPICS.names().values()}
    for rule in processor:
        assert access_finding(TOPICS, allowed).outcome == "warning"
        allowed[rule.name] |= {rule.operation}
    assert access_finding(TOPICS, allowed).outcome == "ok"
