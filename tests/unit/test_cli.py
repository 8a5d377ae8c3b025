from __future__ import annotations

import gzip
import io
import json
import logging
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from llm_orchestrator_state import errors
from llm_orchestrator_state.cli import verify
from llm_orchestrator_state.cli.flags import take_settings
from llm_orchestrator_state.cli.help import exit_codes
from llm_orchestrator_state.cli.identity import Identity, identities_of, identity_of
from llm_orchestrator_state.cli.lines import LONGEST_LINE, open_lines
from llm_orchestrator_state.cli.logs import JsonFormatter, TextFormatter
from llm_orchestrator_state.cli.main import run
from llm_orchestrator_state.errors import BadInput, Configuration
from llm_orchestrator_state.printable import escaped
from llm_orchestrator_state.settings import Settings, settings_table
from llm_orchestrator_state.wire import schemas

HEAVY = {"confluent_kafka", "rocksdict", "fastavro", "prometheus_client"}
START_LIMIT_S = 0.3


@pytest.fixture(autouse=True)
def _nothing_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("LLM_ORCHESTRATOR_STATE_")]:
        monkeypatch.delenv(name)
    for kind in ("CONFIG", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / kind.lower()))
    monkeypatch.chdir(tmp_path)


def one_error_line(capsys: pytest.CaptureFixture[str]) -> str:
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err.strip()


def test_settings_are_taken_from_anywhere_among_the_arguments() -> None:
    given, words = take_settings(
        ["--group", "g", "list", "-X", "a=b", "--topic-prefix=p", "--json", "-Xc=d", "--config", "f"]
    )
    assert given.flags == [("group", "g"), ("properties", "a=b"), ("topic_prefix", "p"), ("properties", "c=d")]
    assert given.config == "f"
    assert words == ["list", "--json"]


def test_nothing_is_taken_after_a_double_dash() -> None:
    assert take_settings(["publish", "--", "--group"])[1] == ["publish", "--", "--group"]


def test_a_flag_without_its_value_is_told_what_is_expected() -> None:
    with pytest.raises(Configuration, match=r"--bootstrap-servers has no value; expected host:port"):
        take_settings(["list", "--bootstrap-servers"])


def test_every_setting_has_a_flag_of_its_own() -> None:
    flags = [setting.flag for setting in settings_table().values()]
    assert len(set(flags)) == len(flags)
    assert take_settings([word for flag in flags for word in (flag, "x=1")])[1] == []


def test_help_names_every_setting_and_every_exit_code(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert run([]) == 0
    shown = capsys.readouterr().out
    for setting in settings_table().values():
        assert setting.flag in shown
        assert setting.doc[:60] in shown
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.StateError)]
    assert {kind.exit_code for kind in kinds} | {0, 130} == set(exit_codes())
    for code, meaning in exit_codes().items():
        assert meaning
        assert f" {code} " in shown


def test_help_says_what_stands_for_a_settings_value_and_where_the_documentation_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert run(["--help"]) == 0
    shown = capsys.readouterr().out
    for setting in settings_table().values():
        assert re.search(rf"{setting.flag} [A-Z]+", shown), setting.name
    for text in ("--config FILE", "--state-dir DIR", "--commit-interval DURATION", "--property KEY=VALUE"):
        assert text in shown
    assert "README.md" in shown
    assert "schemas/transition-event.schema.json" in shown
    assert (schemas.directory() / "transition-event.schema.json").is_file()


@pytest.mark.parametrize(
    "command",
    [[], ["demo"], ["broker", "start"], ["topics"], ["topics", "create"], ["publish"], ["worker"], ["get"], ["list"],
     ["rejections", "list"], ["rejections", "show"], ["rejections", "redrive"], ["verify"], ["rebuild"]],
    ids=" ".join,
)  # fmt: skip
def test_help_shows_no_type_beside_a_flag(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert "--help" in shown
    assert "bool" not in shown.lower()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--topik-prefix", "x", "list"], "--topik-prefix"),
        (["lists"], "No such command 'lists'"),
        (["get"], "Missing argument"),
        (["list", "--limit", "0"], "--limit"),
        (["list", "--limit", "many"], "--limit"),
        (["list", "--status", "gone"], "Invalid workflow status: gone"),
        (["list", "--status", "failed", "--active"], "not both"),
        (["list", "--stale-for", "soon"], "'soon' is not a duration"),
        (["list", "--label", "team"], "--label is 'team'; expected NAME=VALUE"),
        (["watch", "--label", "a=1", "--label", "a=2"], "--label a is given as '1' and as '2'"),
        (["get", "42"], "run id '42' is not a UUID"),
        (["rejections", "list", "--code", "odd"], "'odd' is no code of a rejection; expected one of undecodable, "),
        (["rejections", "list", "--run", "42"], "run id '42' is not a UUID"),
        (["rejections", "list", "--since", "soon"], "'soon' is no instant"),
        (["rejections", "redrive"], "which rejections is not said"),
        (["rejections", "redrive", "42"], "'42' names no rejection; expected PARTITION:OFFSET or an event id"),
        (["rejections", "redrive", "0:1", "--wait", "long"], "'long' is not a duration"),
        (["publish", "absent.jsonl"], "absent.jsonl cannot be read: No such file"),
        (["publish", "."], "cannot be read: Is a directory"),
        (["topics", "create", "--checkpoints", "often"], "--checkpoints"),
        (["--config", "absent.toml", "topics", "check"], "configuration file absent.toml cannot be read"),
        (["topics", "check", "--topic-prefix", "a b"], "command line: topic_prefix is 'a b'; expected"),
        (["topics", "check", "-X", "oops"], "properties: found a part without '='"),
        (["topics", "check"], "no Kafka address is given and no local broker runs"),
        (["broker", "status", "--log-level", "loud"], "log_level is 'loud'"),
        (["topics", "check", "--bootstrap-servers", "localhost:1", "-X", "no.such=1"], "no.such"),
        (["topics", "check", "--bootstrap-servers", "localhost:1", "-X", "group.id=x"], "group.id"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_on_the_command_line_is_one_line_and_exit_code_2(
    arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    assert text in one_error_line(capsys)


@pytest.mark.parametrize("status", ["canceled", "unknown"])
def test_who_asks_for_a_status_that_there_is_not_is_told_the_five_and_what_a_cancelled_run_is(
    status: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["list", "--status", status]) == 2
    assert one_error_line(capsys) == (
        f"error: Invalid workflow status: {status}; expected pending, running, paused, completed or failed "
        "(a cancelled run is failed, with the error_type cancelled)"
    )


def test_bad_toml_is_one_line_and_exit_code_2(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "llm-orchestrator-state.toml").write_text("bootstrap_servers = [")
    assert run(["list"]) == 2
    assert "is not valid TOML" in one_error_line(capsys)


@pytest.mark.parametrize("address", ["127.0.0.1:1", "no-such-host.invalid:9092"])
@pytest.mark.parametrize("command", [["list"], ["topics", "create"], ["rejections", "list"]], ids=" ".join)
def test_a_broker_that_cannot_be_reached_is_one_line_and_exit_code_3(
    command: list[str], address: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("llm_orchestrator_state.kafka.admin.Admin.__init__.__defaults__", (None, 1.0))
    assert run([*command, "--bootstrap-servers", address]) == 3
    assert address in one_error_line(capsys)


def test_that_no_local_broker_runs_is_exit_code_3(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["broker", "status"]) == 3
    assert "broker start" in one_error_line(capsys)


def test_broker_status_as_json_is_an_object_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["broker", "status", "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["running"] is False


def test_the_module_is_the_same_command() -> None:
    found = subprocess.run(
        [sys.executable, "-m", "llm_orchestrator_state", "--version"], capture_output=True, text=True, check=True
    )
    assert found.stdout.startswith("llm-orchestrator-state ")


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["list", "--help"]], ids=" ".join)
def test_the_command_line_starts_within_its_limit(arguments: list[str]) -> None:
    def cpu_s() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "llm_orchestrator_state", *arguments], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    assert min(cpu_s() for _ in range(3)) < 3 * START_LIMIT_S  # a busy machine takes more CPU time too


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["get", "42"]], ids=" ".join)
def test_nothing_heavy_is_imported_before_a_command_needs_it(arguments: list[str]) -> None:
    found = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "llm_orchestrator_state", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    imported = {line.rpartition("|")[2].strip() for line in found.stderr.splitlines()}
    assert "typer" in imported
    assert not imported & HEAVY


def test_foreign_text_cannot_drive_the_terminal() -> None:
    assert escaped("\x1b[2Jok\r\n\u202eabc\x9b1m\ud800é…😀") == "\\x1b[2Jok\\r\\n\\u202eabc\\x9b1m\\ud800é…😀"


def test_an_error_message_cannot_drive_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["list", "--status", "\x1b[31mred"]) == 2
    assert "\\x1b[31mred" in one_error_line(capsys)


def test_a_workers_identity_is_stable_and_of_its_host_its_state_directory_and_its_slot(tmp_path: Path) -> None:
    def identity(directory: Path) -> tuple[str, str]:
        """Without its slot, and the slot."""
        before, _, slot = identity_of(Settings(state_dir=directory)).instance_id.rpartition("-")
        return before, slot

    (tmp_path / "link").symlink_to(tmp_path / "a")
    one, other = identity(tmp_path / "a"), identity(tmp_path / "b")
    assert re.fullmatch(r"[A-Za-z0-9._-]+-[0-9a-f]{4}", one[0])
    assert one[1] == other[1] == "0"
    assert one[0] != other[0]
    assert identity(tmp_path / "link") == (one[0], "1")
    assert identity_of(Settings(state_dir=tmp_path / "a", instance_id="mine")) == Identity("mine")


def test_the_identities_of_several_processes_are_slots_or_numbered_behind_the_one_that_is_given(tmp_path: Path) -> None:
    slots = [who.instance_id.rpartition("-")[2] for who in identities_of(Settings(state_dir=tmp_path), 3)]
    assert slots == ["0", "1", "2"]
    given = identities_of(Settings(state_dir=tmp_path, instance_id="mine"), 2)
    assert given == [Identity("mine-0"), Identity("mine-1")]


def read_lines(path: Path) -> list[tuple[int, bytes]]:
    with open_lines(str(path)) as lines:
        return list(lines)


def test_lines_are_numbered_from_1_and_blank_ones_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"a":1}\r\n\n  \n{"b":2}')
    assert read_lines(path) == [(1, b'{"a":1}'), (4, b'{"b":2}')]


def test_gzip_is_known_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(gzip.compress(b"one\n") + gzip.compress(b"two\n"))
    assert read_lines(path) == [(1, b"one"), (2, b"two")]


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda data: data[:-9], r"is cut off after line \d+: its compressed data have no end; "),
        (lambda data: data[:40] + b"\0\0\0\0" + data[44:], r"is damaged after line \d+ \(.+\); "),
    ],
)
def test_a_damaged_gzip_file_is_told_with_the_line_it_broke_after(tmp_path: Path, damage: object, what: str) -> None:
    assert callable(damage)
    path = tmp_path / "events.jsonl.gz"
    path.write_bytes(damage(gzip.compress(b"".join(b"line %d\n" % number for number in range(100)))))
    with pytest.raises(BadInput, match=rf"events\.jsonl\.gz {what}what precedes was published"):
        read_lines(path)


def test_an_endless_line_is_cut_and_the_next_line_is_found(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl.gz"
    path.write_bytes(gzip.compress(b"x" * (2 * LONGEST_LINE + 5) + b"\nnext\n", compresslevel=1))
    lines = read_lines(path)
    assert [(number, len(line)) for number, line in lines] == [(1, LONGEST_LINE), (2, 4)]


def log_record(message: str) -> logging.LogRecord:
    record = logging.LogRecord("llm_orchestrator_state.engine.worker", logging.WARNING, "", 0, message, None, None)
    record.created = 1767605400.123
    return record


def test_a_log_line_as_text_is_one_line() -> None:
    line = TextFormatter().format(log_record("lost\n\x1b[0m"))
    assert line == "2026-01-05T09:30:00.123Z warning engine.worker: lost\\n\\x1b[0m"


def test_a_log_line_as_json_is_one_object() -> None:
    entry = json.loads(JsonFormatter().format(log_record("lost\n")))
    assert entry == {
        "time": "2026-01-05T09:30:00.123Z",
        "level": "warning",
        "logger": "llm_orchestrator_state.engine.worker",
        "message": "lost\n",
    }


def test_where_several_processes_write_to_one_log_each_line_says_which() -> None:
    line = TextFormatter("host-0").format(log_record("lost"))
    assert line == "2026-01-05T09:30:00.123Z warning engine.worker: [host-0] lost"
    assert json.loads(JsonFormatter("host-0").format(log_record("lost")))["worker"] == "host-0"


def test_a_traceback_is_kept_in_the_json_log() -> None:
    record = log_record("failed")
    try:
        io.BytesIO(b"").fileno()
    except OSError:
        record.exc_info = sys.exc_info()
    assert "Traceback" in json.loads(JsonFormatter().format(record))["exception"]


DIFFERENT = """
import sys
from llm_orchestrator_state.cli import main, verify
from llm_orchestrator_state.engine.verify import Difference, PartitionReport
differences = [Difference("r", "local store", "x" * 100_000)]
reports = [PartitionReport(partition=p, different=1, differences=differences) for p in range(10)]
verify._reports = lambda _, hidden: iter(reports)
sys.exit(main.run(["verify", *sys.argv[1:]]))
"""


@pytest.mark.parametrize("words", [[], ["--json"]], ids=["as a table", "as JSON"])
def test_a_difference_is_told_by_the_exit_code_also_when_nobody_reads_on(words: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        ran = subprocess.run(
            [sys.executable, "-c", DIFFERENT, *words], stdout=writer, stderr=subprocess.PIPE, text=True, check=False
        )
    finally:
        os.close(writer)
    assert (ran.returncode, ran.stderr.count("\n")) == (7, 1), ran.stderr


def test_ctrl_c_ends_a_command_with_its_own_exit_code_and_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: object, *, hidden: bool) -> None:
        assert not hidden
        raise KeyboardInterrupt

    monkeypatch.setattr(verify, "_reports", interrupted)
    assert run(["verify"]) == 130


def test_output_that_cannot_be_written_is_one_line_and_exit_code_1() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "llm_orchestrator_state", "--help"],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "cannot be written" in done.stderr
