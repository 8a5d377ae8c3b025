"""What the README says in tables is what the code has as data."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import msgspec
import pytest
from typer.main import get_command

from llm_orchestrator_state.cli.help import exit_codes
from llm_orchestrator_state.cli.main import app
from llm_orchestrator_state.cli.metrics import WorkerMetrics
from llm_orchestrator_state.engine.counts import Counts
from llm_orchestrator_state.engine.progress import Progress
from llm_orchestrator_state.kafka.topic_settings import DAY_MS, SETTINGS
from llm_orchestrator_state.model import limits
from llm_orchestrator_state.model.kinds import KIND_OF_WORD, KINDS
from llm_orchestrator_state.model.transitions import ANY_STEP, EXISTING, NO_STEP, OPEN, RULES, Rule
from llm_orchestrator_state.model.verdicts import Code
from llm_orchestrator_state.settings import settings_table
from llm_orchestrator_state.settings_sources import load
from llm_orchestrator_state.wire import schemas
from llm_orchestrator_state.wire.framing import SINGLE_OBJECT
from tests.readme import CHECKOUT, README, blocks, section, tables, words

PROGRAM = "llm-orchestrator-state"
RUN_WORDS = {"open": OPEN, "any": EXISTING}
STEP_WORDS = {"any": ANY_STEP - {NO_STEP}}
REJECTIONS_DAYS = next(int(each.value) for each in SETTINGS["rejections"] if each.name == "retention.ms") // DAY_MS
IN_FLIGHT = "; failed, if the step is running"


def statuses(cell: str, vocabulary: dict[str, frozenset[str]]) -> frozenset[str]:
    return frozenset().union(*(vocabulary.get(word, frozenset({word})) for word in words(cell)))


def rule(run: str, step: str) -> Rule:
    """What two cells of the table of events say."""
    run_from, _, run_to = run.replace(IN_FLIGHT, "").partition(" → ")
    step_from, _, step_to = step.partition(" → ")
    return Rule(
        runs=statuses(run_from, RUN_WORDS),
        run_to=None if run_to in {"", "as given"} else run_to,
        steps=statuses(step_from, STEP_WORDS) if step else None,
        step_to=step_to or None,
        in_flight=frozenset({"failed"}) if IN_FLIGHT in run else frozenset(),
    )


def test_the_table_of_events_is_the_transition_table() -> None:
    (table,) = tables("Events")
    assert {KIND_OF_WORD[word]: rule(run, step) for word, _, run, step in table} == RULES


def test_only_events_that_carry_a_whole_state_lead_to_the_status_as_given() -> None:
    (table,) = tables("Events")
    given = {word for word, _, run, _ in table if run.endswith("as given")}
    assert given == {"workflow_saved", "workflow_restored"}


def test_the_table_of_events_names_every_field_and_which_may_be_left_out() -> None:
    (table,) = tables("Events")
    fields = {
        word: [field.name if field.required else f"{field.name}?" for field in msgspec.structs.fields(KINDS[kind])]
        for word, kind in KIND_OF_WORD.items()
    }
    assert {word: words(cell) for word, cell, _, _ in table} == fields


def test_the_table_of_rejections_has_every_code_in_the_order_of_the_checks() -> None:
    (table,) = tables("Rejections")
    assert [code for code, _ in table] == [code.value for code in Code]


def test_the_table_of_settings_is_that_of_the_code() -> None:
    (table,) = tables("Settings")
    assert table == [[each.name, each.flag, each.default, each.doc] for each in settings_table().values()]


def test_the_example_of_a_configuration_file_is_read(tmp_path: Path) -> None:
    (example,) = [block.text for block in blocks(section("Settings")) if block.language == "toml"]
    file = tmp_path / "settings.toml"
    file.write_text(example)
    settings = load(config=str(file), environ={})
    assert settings.topic_prefix == tomllib.loads(example)["topic_prefix"]
    assert settings.commit_interval == pytest.approx(0.1)
    assert settings.properties["security.protocol"] == "SASL_SSL"


def test_the_table_of_exit_codes_is_that_of_the_errors() -> None:
    (table,) = tables("Exit codes")
    assert {int(code): meaning for code, meaning in table} == exit_codes()


def test_the_table_of_topics_has_their_cleanup_and_size() -> None:
    (table,) = tables("What a consumer sees")
    found = {topic.removeprefix("PREFIX."): (cleanup, size) for topic, _, _, cleanup, size in table}
    settings = {role: {each.name: each.value for each in topic} for role, topic in SETTINGS.items()}
    assert found == {
        role: (topic["cleanup.policy"], topic.get("max.message.bytes", "the broker's default"))
        for role, topic in settings.items()
    }


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("Duplicates", f"remembers the last {limits.WINDOW} of those"),
        ("Events", f"The last {limits.KEPT_CHECKPOINTS} of a run are kept"),
        ("Rejections", f"nested deeper than {limits.MAX_JSON_DEPTH}"),
        ("Rejections", f"larger than {limits.MAX_STATE_BYTES >> 20} MiB"),
        ("Guarantees", f"after {limits.WINDOW} other events"),
        ("Guarantees", f"{REJECTIONS_DAYS} days long"),
        ("What a consumer sees", f"rejections for {REJECTIONS_DAYS} days"),
    ],
)
def test_the_limits_that_the_text_names_are_those_of_the_format(name: str, sentence: str) -> None:
    assert sentence in " ".join(section(name).split())


def test_the_metrics_that_the_text_names_are_those_that_are_served() -> None:
    metrics = WorkerMetrics({"w": Progress((), (), Counts(), 0, 0, {}, {}, {})}, {"w": 0})
    served = {f"{each.name}_total" if each.type == "counter" else each.name for each in metrics.collect()}
    (paragraph,) = re.findall(r"\*\*Metrics\.\*\*.*?(?=\n- )", section("Running workers"), re.DOTALL)
    names = re.findall(r"`(?:llm_orchestrator_state|…)_(\w+)`", paragraph)
    assert {f"llm_orchestrator_state_{name}" for name in names} == served


def commands(tree: object, name: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    below: dict[str, object] = getattr(tree, "commands", {})
    return set().union(*(commands(each, (*name, word)) for word, each in below.items())) if below else {name}


def shown_commands() -> list[list[str]]:
    code = [block.text for block in blocks(README.read_text()) if block.language in {"sh", "console"}]
    lines = [line.removeprefix("$ ") for text in code for line in text.splitlines()]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.removeprefix("$ ").startswith(f"{PROGRAM} ")]


def test_every_command_has_an_example_and_no_example_is_of_a_command_that_is_not_there() -> None:
    known = commands(get_command(app))
    shown = {next(tuple(call[:n]) for n in (1, 2, 3) if tuple(call[:n]) in known) for call in shown_commands()}
    assert shown == known


def test_what_the_readmes_link_to_is_there() -> None:
    for file in (README, CHECKOUT / "schemas" / "README.md"):
        text = file.read_text()
        headings = {
            re.sub(r"[^\w -]", "", name.lower()).replace(" ", "-") for name in re.findall(r"(?m)^#+ (.+)$", text)
        }
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            path, _, anchor = target.partition("#")
            assert (file.parent / path).exists(), target
            assert path or anchor in headings, target


def test_the_parts_that_the_readme_names_are_there() -> None:
    package = CHECKOUT / "processor" / "llm_orchestrator_state"
    (table,) = tables("Repository")
    for part in (part for row in table for part in words(row[0])):
        assert (CHECKOUT / part).exists() or (package / part).exists(), part


def test_the_headers_in_the_readme_of_the_schemas_are_those_on_the_wire() -> None:
    (table,) = tables("Headers", CHECKOUT / "schemas" / "README.md")
    assert table == [
        [name, str(version), (SINGLE_OBJECT + schemas.fingerprint(schema)).hex(" ")]
        for name in schemas.MESSAGES
        for version, schema in enumerate(schemas.history(name), 1)
    ]


def test_what_the_crate_does_not_keep_is_tested_here_by_the_tests_that_are_named() -> None:
    (table,) = tables("Differences from the Rust crate")
    named = {name for row in table for name in words(row[2])}
    suites = [*(CHECKOUT / "tests").rglob("*.py"), *(CHECKOUT / "processor").rglob("*.py")]
    defined = {name for file in suites for name in re.findall(r"def (test_\w+)", file.read_text())}
    assert len(table) == 16
    assert named <= defined
