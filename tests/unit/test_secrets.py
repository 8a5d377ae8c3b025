"""Passwords come from where nobody else sees them, and go nowhere but to Kafka and the registry."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.pretty import pretty_repr

from llm_orchestrator_state.cli.main import run
from llm_orchestrator_state.client.reading.options import Options
from llm_orchestrator_state.errors import Configuration, StateError
from llm_orchestrator_state.kafka.admin import Admin
from llm_orchestrator_state.kafka.registry_client import RegistryClient
from llm_orchestrator_state.printable import without_userinfo
from llm_orchestrator_state.settings import Settings
from llm_orchestrator_state.settings_sources import as_environment, load

SECRET = "hunter2-never-shown"
FLAGS = [
    ("properties", f"sasl.password={SECRET}"),
    ("schema_registry_properties", f"basic.auth.user.info=me:{SECRET}"),
    ("schema_registry_url", f"http://me:{SECRET}@127.0.0.1:9/"),
]


@pytest.fixture(autouse=True)
def _nothing_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("LLM_ORCHESTRATOR_STATE_")]:
        monkeypatch.delenv(name)
    for kind in ("CONFIG", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / kind.lower()))
    monkeypatch.chdir(tmp_path)


# --- from a file ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_property_is_read_from_the_file_that_is_named_behind_an_at_sign(tmp_path: Path, ending: str) -> None:
    file = tmp_path / "password"
    file.write_bytes(f" a,b=c\\ {ending}".encode())
    found = load([("properties", f"sasl.password=@{file}"), ("schema_registry_properties", f"x=@{file}")], environ={})
    assert found.properties == {"sasl.password": " a,b=c\\ "}
    assert found.schema_registry_properties == {"x": " a,b=c\\ "}


def test_the_file_may_be_named_in_each_source_and_only_the_one_that_counts_is_read(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("of the file\n")
    toml = tmp_path / "settings.toml"
    toml.write_text('[properties]\n"sasl.password" = "@/no/such/file"\n')
    environ = {"LLM_ORCHESTRATOR_STATE_PROPERTIES": f"sasl.password=@{file}"}
    assert load(config=str(toml), environ=environ).properties == {"sasl.password": "of the file"}


@pytest.mark.parametrize("value", ["@home", "p@ss", "@", "@@x", "a@/b"])
def test_a_password_may_begin_with_an_at_sign(value: str) -> None:
    assert load([("properties", f"sasl.password={value}")], environ={}).properties["sasl.password"] == value


def test_what_begins_with_an_at_sign_and_a_slash_is_written_with_two_signs() -> None:
    assert load([("properties", "sasl.password=@@/x")], environ={}).properties["sasl.password"] == "@/x"


@pytest.mark.parametrize("value", ["@/x", "@@/x", "@x", "a,b=@/c", "line\nline"])
def test_a_process_that_is_started_with_the_settings_has_the_same_secrets(value: str) -> None:
    made = Settings(properties={"sasl.password": value}, schema_registry_properties={"x": value})
    assert load(environ=as_environment(made)).properties == made.properties
    assert load(environ=as_environment(made)).schema_registry_properties == made.schema_registry_properties


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "No such file"), (b"", "is empty"), (b"\n", "is empty"), (b"\xff\xfe", "no UTF-8 text")],
)
def test_a_file_that_has_no_secret_is_told_by_its_property_and_not_named(
    tmp_path: Path, content: bytes | None, why: str
) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(Configuration, match=rf"properties: the file that sasl\.password names.*{why}") as raised:
        load([("properties", f"sasl.password=@{file}")], environ={})
    assert str(file) not in str(raised.value)


# --- never shown ------------------------------------------------------------------------------------------------------


def test_settings_do_not_show_what_is_secret() -> None:
    settings = load(FLAGS, environ={})
    options = Options(
        bootstrap_servers="k:1", topic_prefix="p", checkpoints=False, directory=None, partitions=None, group=None,
        schema_registry_url=settings.schema_registry_url, properties=settings.properties,
        schema_registry_properties=settings.schema_registry_properties,
    )  # fmt: skip
    for each in (settings, options):
        for text in (repr(each), str(each), f"{each}", pretty_repr(each)):
            assert SECRET not in text
            assert "sasl.password" in text
            assert "127.0.0.1:9" in text


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://u:p@h:1/x", "http://h:1/x"),
        ("http://u:p/w@h", "http://h"),
        ("http://u:p@w@h", "http://h"),
        ("http://u:p@a, https://u:q,r@b", "http://a, https://b"),
        ("u:p@h", "h"),
        ("http://h/x", "http://h/x"),
    ],
)
def test_an_address_is_shown_without_user_and_password(url: str, shown: str) -> None:
    assert without_userinfo(url) == shown


TLS = ["-X", "security.protocol=ssl"]


@pytest.mark.parametrize(
    "words",
    [
        ["list", "--schema-registry-url", f"ftp://me:{SECRET}@h"],
        ["list", "--schema-registry-url", f"me:{SECRET}@h"],
        ["list", "-X", SECRET],
        ["list", f"sasl.password={SECRET} and more"],
        ["list", "-X", f"sasl.password=@/{SECRET}"],
        ["list", "-X", f"sasl.pasword={SECRET}"],
        ["list", "-X", f"sasl.jaas.config={SECRET}"],
        ["list", *TLS, "-X", f"ssl.key.pem={SECRET}"],
        ["list", *TLS, "-X", f"ssl.key.password={SECRET}", "-X", "ssl.key.location=/dev/null"],
        ["topics", "acls", "--role", "reader", "--principal", "User:x", "-X", f"sasl.password={SECRET}"],
    ],
)
def test_no_command_shows_a_secret_whatever_is_wrong(words: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    run([*words, "--bootstrap-servers", "127.0.0.1:9", "--log-level", "debug", "-X", "debug=all"])
    said = "".join(capfd.readouterr())
    assert said
    assert SECRET not in said


def test_doctor_and_the_debug_log_show_no_secret_and_neither_does_help(tmp_path: Path) -> None:
    """Nothing answers at these addresses."""
    environ = {name: text for name, text in os.environ.items() if not name.startswith("LLM_ORCHESTRATOR_STATE_")} | {
        "LLM_ORCHESTRATOR_STATE_SCHEMA_REGISTRY_URL": f"http://me:{SECRET}@127.0.0.1:9",
        "LLM_ORCHESTRATOR_STATE_PROPERTIES": f"debug=all,security.protocol=SASL_SSL,sasl.mechanism=PLAIN,sasl.username=u,"
        f"sasl.password={SECRET},ssl.key.password={SECRET}",
        "LLM_ORCHESTRATOR_STATE_BOOTSTRAP_SERVERS": "127.0.0.1:9",
        "LLM_ORCHESTRATOR_STATE_LOG_LEVEL": "debug",
    }
    for words, code, told in ((["doctor"], 3, "refused"), (["--help"], 0, "schema-registry-url")):
        ended = subprocess.run(
            [sys.executable, "-m", "llm_orchestrator_state", *words],
            capture_output=True, text=True, check=False, env=environ, cwd=tmp_path,
        )  # fmt: skip
        said = ended.stdout + ended.stderr
        assert ended.returncode == code, said
        assert told in said
        assert SECRET not in said


ADMINS = [
    {"no.such": SECRET, "sasl.password": SECRET},
    {"sasl.password": SECRET, "sasl.mechanism": "NONE", "security.protocol": "SASL_SSL"},
    {"ssl.key.pem": SECRET, "security.protocol": "SSL"},
]


@pytest.mark.parametrize("properties", ADMINS)
def test_what_is_wrong_with_a_clients_properties_is_told_without_a_secret(properties: dict[str, str]) -> None:
    with pytest.raises(Configuration) as raised:
        Admin("127.0.0.1:9", properties, timeout_s=0.1)
    assert SECRET not in f"{raised.value!r} {raised.value.__cause__!r}"


@pytest.mark.parametrize("properties", [{"basic.auth.user.info": f"me:{SECRET}"}, {"basic.auth.user.inf": SECRET}])
def test_what_is_wrong_with_a_registry_is_told_without_a_secret(properties: dict[str, str]) -> None:
    with pytest.raises(StateError) as raised:
        RegistryClient(f"http://me:{SECRET}@127.0.0.1:9", properties, lambda: 0.0).ask("a", lambda it: it.get_schema(1))
    assert SECRET not in f"{raised.value!r} {raised.value.__cause__!r}"
