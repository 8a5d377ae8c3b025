from __future__ import annotations

import re
from pathlib import Path

import pytest

from llm_orchestrator_state.errors import Configuration
from llm_orchestrator_state.settings import Setting, Settings, settings_table
from llm_orchestrator_state.settings_sources import as_environment, load, misspelled_variables
from llm_orchestrator_state.units import duration_text, parse_duration, parse_size

Flags = list[tuple[str, str]]


def settings(
    tmp_path: Path, *, file: str = "", environ: dict[str, str] | None = None, flags: Flags | None = None
) -> Settings:
    (tmp_path / "llm-orchestrator-state.toml").write_text(file)
    return load(flags or [], environ={"HOME": str(tmp_path), **(environ or {})}, directory=tmp_path)


def mistake(
    tmp_path: Path, *, file: str = "", environ: dict[str, str] | None = None, flags: Flags | None = None
) -> str:
    with pytest.raises(Configuration) as raised:
        settings(tmp_path, file=file, environ=environ, flags=flags)
    message = str(raised.value)
    assert "\n" not in message
    return message


def test_a_flag_wins_over_the_environment_which_wins_over_the_file(tmp_path: Path) -> None:
    file = 'topic_prefix = "file"\ngroup = "file"\ninstance_id = "file"'
    environ = {"LLM_ORCHESTRATOR_STATE_TOPIC_PREFIX": "env", "LLM_ORCHESTRATOR_STATE_GROUP": "env"}
    found = settings(tmp_path, file=file, environ=environ, flags=[("topic_prefix", "flag")])
    assert (found.topic_prefix, found.group, found.instance_id) == ("flag", "env", "file")


def test_an_empty_environment_variable_counts_as_unset(tmp_path: Path) -> None:
    found = settings(tmp_path, environ={"LLM_ORCHESTRATOR_STATE_BOOTSTRAP_SERVERS": ""})
    assert found.bootstrap_servers is None


def test_the_group_is_named_after_the_topic_prefix(tmp_path: Path) -> None:
    assert settings(tmp_path, flags=[("topic_prefix", "orders")]).group == "orders.processor"


def test_the_state_directory_follows_xdg(tmp_path: Path) -> None:
    assert settings(tmp_path).state_dir == tmp_path / ".local/state/llm-orchestrator-state"
    environ = {"XDG_STATE_HOME": str(tmp_path / "elsewhere")}
    assert settings(tmp_path, environ=environ).state_dir == tmp_path / "elsewhere/llm-orchestrator-state"


def test_a_relative_xdg_directory_is_ignored(tmp_path: Path) -> None:
    assert settings(tmp_path, environ={"XDG_STATE_HOME": "here"}).state_dir.is_relative_to(tmp_path)


def test_without_a_file_in_the_directory_the_one_of_the_xdg_directory_is_read(tmp_path: Path) -> None:
    file = tmp_path / ".config/llm-orchestrator-state/config.toml"
    file.parent.mkdir(parents=True)
    file.write_text('topic_prefix = "home"')
    assert load(environ={"HOME": str(tmp_path)}, directory=tmp_path).topic_prefix == "home"


def test_the_file_can_be_named_by_a_variable_and_by_a_flag(tmp_path: Path) -> None:
    one, other = tmp_path / "one.toml", tmp_path / "other.toml"
    one.write_text('topic_prefix = "one"')
    other.write_text('topic_prefix = "other"')
    environ = {"HOME": str(tmp_path), "LLM_ORCHESTRATOR_STATE_CONFIG": str(one)}
    assert load(environ=environ, directory=tmp_path).topic_prefix == "one"
    assert load(environ=environ, directory=tmp_path, config=str(other)).topic_prefix == "other"


def test_a_file_that_was_asked_for_must_exist(tmp_path: Path) -> None:
    with pytest.raises(Configuration, match=r"absent\.toml cannot be read: No such file"):
        load(environ={"HOME": str(tmp_path)}, directory=tmp_path, config=str(tmp_path / "absent.toml"))


def test_an_unknown_key_is_named_with_the_one_that_was_probably_meant(tmp_path: Path) -> None:
    message = mistake(tmp_path, file='bootstrap_server = "a:9092"')
    assert "llm-orchestrator-state.toml" in message
    assert "bootstrap_server is not a setting; did you mean bootstrap_servers?" in message


def test_an_unknown_key_that_resembles_none_is_told_the_settings(tmp_path: Path) -> None:
    assert "the settings are bootstrap_servers, topic_prefix" in mistake(tmp_path, file="colour = 1")


def test_bad_toml_is_told_with_its_file_and_line(tmp_path: Path) -> None:
    message = mistake(tmp_path, file="topic_prefix = \n")
    assert "llm-orchestrator-state.toml is not valid TOML" in message
    assert "line 1" in message


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("commit_interval", "fast"),
        ("commit_interval", "0"),
        ("commit_interval", "2m"),
        ("commit_interval", "nan"),
        ("session_timeout", "-1s"),
        ("topic_prefix", "with space"),
        ("topic_prefix", "x" * 300),
        ("instance_id", "ä"),
        ("memory", "12 apples"),
        ("memory", "1"),
        ("log_level", "loud"),
        ("log_format", "xml"),
        ("metrics_port", "70000"),
        ("metrics_port", "true"),
        ("schema_registry_url", "registry:8081"),
    ],
)
def test_a_bad_value_is_told_with_source_setting_value_and_what_is_expected(
    tmp_path: Path, name: str, text: str
) -> None:
    expected = re.escape(settings_table()[name].expected)
    message = mistake(tmp_path, flags=[(name, text)])
    assert re.fullmatch(rf"command line: {name} is {re.escape(repr(text))}; expected {expected}", message)
    variable = settings_table()[name].environment
    assert mistake(tmp_path, environ={variable: text}).startswith(f"environment: {name} is ")


@pytest.mark.parametrize("file", ["commit_interval = true", "topic_prefix = 3", "metrics_port = 1.5", "properties = 1"])
def test_a_value_of_another_type_in_the_file_is_told(tmp_path: Path, file: str) -> None:
    assert file.partition(" ")[0] in mistake(tmp_path, file=file)


def test_durations_and_sizes_are_numbers_or_texts_with_units(tmp_path: Path) -> None:
    found = settings(tmp_path, file='commit_interval = "500ms"\nsession_timeout = 7\nmemory = "1GiB"')
    assert (found.commit_interval, found.session_timeout, found.memory) == (0.5, 7.0, 2**30)


def test_a_commit_interval_longer_than_half_the_transaction_time_out_is_refused(tmp_path: Path) -> None:
    assert "at most half" in mistake(tmp_path, file="commit_interval = 6")


def test_properties_are_merged_key_by_key_over_the_sources(tmp_path: Path) -> None:
    found = settings(
        tmp_path,
        file="[properties]\nsocket.keepalive.enable = true\nlinger.ms = 5\n'retries' = 3",
        environ={"LLM_ORCHESTRATOR_STATE_PROPERTIES": "linger.ms=6,debug=broker,topic,sasl.password=a=b\\,c=d"},
        flags=[("properties", "retries=4"), ("properties", "sasl.username=u,v")],
    )
    assert found.properties == {
        "socket.keepalive.enable": "true",
        "linger.ms": "6",
        "retries": "4",
        "debug": "broker,topic",
        "sasl.password": "a=b,c=d",
        "sasl.username": "u,v",
    }


def test_a_mistake_in_properties_does_not_show_their_values(tmp_path: Path) -> None:
    message = mistake(tmp_path, environ={"LLM_ORCHESTRATOR_STATE_PROPERTIES": "sasl.password secret"})
    assert "key=value" in message
    assert "secret" not in message


def test_a_misspelled_variable_is_found_and_those_of_kubernetes_are_left_alone() -> None:
    environ = {
        "LLM_ORCHESTRATOR_STATE_TOPIC_PREFIXES": "x",
        "LLM_ORCHESTRATOR_STATE_BOOTSTRAP": "x",
        "LLM_ORCHESTRATOR_STATE_METRICS_SERVICE_PORT_HTTP": "9000",
        "LLM_ORCHESTRATOR_STATE_PORT": "tcp://10.0.0.1:9092",
        "LLM_ORCHESTRATOR_STATE_SERVICE_HOST": "10.0.0.1",
        "LLM_ORCHESTRATOR_STATE_PORT_9092_TCP": "tcp://10.0.0.1:9092",
        "LLM_ORCHESTRATOR_STATE_CONFIG": "x.toml",
    }
    assert misspelled_variables(environ) == [
        ("LLM_ORCHESTRATOR_STATE_TOPIC_PREFIXES", "LLM_ORCHESTRATOR_STATE_TOPIC_PREFIX"),
        ("LLM_ORCHESTRATOR_STATE_BOOTSTRAP", "LLM_ORCHESTRATOR_STATE_BOOTSTRAP_SERVERS"),
    ]


@pytest.mark.parametrize("setting", settings_table().values(), ids=lambda setting: setting.name)
def test_every_setting_says_what_it_is_what_is_expected_and_its_default(setting: Setting) -> None:
    assert setting.doc.endswith(".")
    assert setting.expected
    assert setting.default


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("1.5", 1.5), ("200ms", 0.2), ("30s", 30), ("15m", 900), ("2h", 7200), ("1d", 86400), ("1h30m", 5400)],
)
def test_durations_are_read_as_people_write_them(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "m", "15 minutes", "-5m", "1x", "5mm", "1e3", "inf", "٣s"])
def test_what_is_no_duration_is_refused_with_examples(text: str) -> None:
    with pytest.raises(Configuration, match=r"is not a duration; expected a duration such as 200ms"):
        parse_duration(text)


@pytest.mark.parametrize(("text", "size"), [("1024", 1024), ("64MiB", 2**26), ("1 kb", 1000), ("1.5GiB", 3 * 2**29)])
def test_sizes_are_read_as_people_write_them(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0s"), (0.4, "0s"), (59, "59s"), (3600, "1h"), (93784, "1d 2h"), (61, "1m 1s")]
)
def test_a_duration_is_shown_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


def test_settings_go_through_the_environment_unchanged(tmp_path: Path) -> None:
    hard = {"sasl.password": "a,b=c, d=e\\,f\\", "ssl.ca": "/x y", "empty": "", "spaces": " s "}
    for given in (
        Settings(),
        Settings(
            bootstrap_servers="a:1,b:2", topic_prefix="t", state_dir=tmp_path / "a b", group="g", instance_id="i",
            commit_interval=0.001, session_timeout=6.5, transaction_timeout=1 / 3 + 1, schema_registry_url="http://r",
            schema_registry_properties={"basic.auth.user.info": "u:p"}, properties=hard, memory=2**28 + 1,
            log_level="debug", log_format="json", metrics_port=9000,
        ),
    ):  # fmt: skip
        (tmp_path / "llm-orchestrator-state.toml").write_text("metrics_port = 1")
        assert load(environ=as_environment(given), directory=tmp_path) == given


def test_tables_that_no_variable_can_hold_are_refused() -> None:
    with pytest.raises(Configuration, match="backslash"):
        as_environment(Settings(properties={"a": "\\", "b": "\\"}))
