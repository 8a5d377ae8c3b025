from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from llm_orchestrator_state.cli.columns import Column, fit, header_lines, line
from llm_orchestrator_state.cli.progress import amount
from llm_orchestrator_state.cli.terminal import _coloured

RUN = "6f1b8b0e-93a5-4c1e-8a52-0d7c3f4e5a6b"
COLUMNS = [
    Column("run"),
    Column("workflow", least=8),
    Column("not judged", right=True, spare=1),
    Column("error", least=10, spare=2),
]
ROWS = [[RUN, "nightly-report-and-summary", "12", "RefusalError: no"], [RUN, "triage", "3", ""]]


def shown(width: int | None, rows: list[list[str]] = ROWS) -> list[str]:
    fitted = fit(COLUMNS, rows, width)
    header = header_lines(COLUMNS, fitted)
    body = [[row[each.number] for each in fitted] for row in rows]
    return [line(COLUMNS, fitted, row).rstrip() for row in (*header, *body)]


def test_where_there_is_room_nothing_is_shortened_and_no_column_left_out() -> None:
    wide = shown(200)
    assert wide == shown(None)
    assert wide[0].split() == ["run", "workflow", "not", "judged", "error"]
    assert "nightly-report-and-summary" in wide[1]


@pytest.mark.parametrize("width", range(20, 140))
def test_an_id_never_breaks_and_a_line_is_no_longer_than_the_terminal_where_that_can_be(width: int) -> None:
    lines = shown(width)
    assert all(RUN in each for each in lines[-2:])
    assert max(map(len, lines)) <= max(width, len(RUN) + 2 + 8)


def test_columns_are_left_out_the_most_spare_first() -> None:
    def names(width: int) -> list[str]:
        return [COLUMNS[each.number].name for each in fit(COLUMNS, ROWS, width)]

    assert names(90) == ["run", "workflow", "not judged", "error"]
    assert names(60) == ["run", "workflow", "not judged"]
    assert names(50) == ["run", "workflow"]


def test_what_is_shortened_says_so() -> None:
    assert re.search(r"nightly-\w*…", shown(70)[-2])


def test_a_name_of_several_words_takes_several_lines_before_a_column_is_left_out() -> None:
    header = shown(58)[:2]
    assert header[0].split() == ["not"]
    assert header[1].split() == ["run", "workflow", "judged"]


def test_a_table_without_rows_is_its_header() -> None:
    assert shown(80, []) == ["run  workflow  not judged  error"]


def test_wide_characters_keep_the_columns_in_line() -> None:
    columns = [Column("name", least=4), Column("number", right=True)]
    rows = [["日本語の名前", "1"], ["plain", "2"]]
    fitted = fit(columns, rows, 14)
    assert [line(columns, fitted, row) for row in rows] == ["日本 …       1", "plain        2"]


def test_a_colour_is_on_its_own_cell_after_wide_characters_too() -> None:
    columns = [Column("step"), Column("status", colours={"failed": "red"}), Column("n", right=True)]
    rows = [["Schritt[ü 日本", "failed", "1"], ["Cafe\u0301", "failed", "2"]]
    fitted = fit(columns, rows, 80)
    for row in rows:
        text = _coloured(columns, fitted, row)
        assert text.plain == line(columns, fitted, row)
        assert [text.plain[span.start : span.end] for span in text.spans] == ["failed"]


@pytest.mark.parametrize(
    ("done", "total", "unit", "seconds", "text"),
    [
        (120_000, 1_000_000, "events", 3.0, "120,000 of 1,000,000 events, 40,000/s, 22s left"),
        (5, None, "lines", 0.5, "5 lines, 10/s"),
        (3, 3, "partitions", 1.0, "3 of 3 partitions, 3/s"),
        (0, 7, "events", 2.0, "0 of 7 events"),
        (9, 10, "events", 0.01, "9 of 10 events"),
        (5 << 20, 1 << 30, "bytes", 1.0, "5.0 MiB of 1.0 GiB, 5.0 MiB/s, 3m 23s left"),
    ],
)
def test_progress_says_how_much_how_fast_and_how_long_still(
    done: int, total: int | None, unit: str, seconds: float, text: str
) -> None:
    assert amount(done, total, unit, seconds) == text


PROGRAM = """
import sys
from llm_orchestrator_state.cli import progress, terminal
progress.QUIET_S = progress.LINE_S = 0.0
with progress.progress("verifying", "events", hidden=sys.argv[1] == "hidden") as shown:
    shown.update(5, 10, "partition 1 of 2")
    terminal.say("a remark \\x1b[31m")
terminal.table(["run", "error"], [["r", "no \\x1b[31mluck"]])
terminal.record([("name", "word " * 30 + "\\x9b1m")])
terminal.data('{"a":"\\x9b31m\\u202e"}'.encode())
"""


def on_terminal(*words: str, columns: int = 80, **environ: str) -> str:
    """What a program with both its outputs on a terminal prints there."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    kept = {name: value for name, value in os.environ.items() if name not in {"COLUMNS", "NO_COLOR", "FORCE_COLOR"}}
    child = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *words],
        stdout=theirs, stderr=theirs, env={**kept, "TERM": "xterm-256color", **environ},
    )  # fmt: skip
    os.close(theirs)
    printed = b""
    try:
        while part := os.read(ours, 65536):
            printed += part
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    assert child.wait() == 0, printed
    return printed.decode().replace("\r\n", "\n")


def piped(*words: str) -> tuple[str, str]:
    done = subprocess.run([sys.executable, "-c", PROGRAM, *words], capture_output=True, check=True)
    return done.stdout.decode(), done.stderr.decode()


def test_on_a_terminal_there_is_a_bar_and_foreign_text_cannot_drive_it() -> None:
    printed = on_terminal("shown")
    assert "verifying partition 1 of 2" in printed
    assert "a remark \\x1b[31m" in printed
    assert "no \\x1b[31mluck" in printed
    assert "\\x9b1m" in printed
    assert '{"a":"\\u009b31m\\u202e"}' in printed
    assert "\x9b" not in printed
    assert "\u202e" not in printed
    assert "\x1b[31m" not in printed


def test_without_colour_a_table_has_none() -> None:
    after = on_terminal("hidden", NO_COLOR="1")
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", after)


def test_long_values_go_on_below_their_beginning() -> None:
    lines = [each for each in on_terminal("hidden", columns=60).splitlines() if "word" in each]
    assert lines[0].startswith("name  word")
    assert all(each.startswith("      word") for each in lines[1:])
    assert max(map(len, lines)) <= 60


def test_in_a_pipe_progress_is_a_plain_line_and_everything_is_complete() -> None:
    out, err = piped("shown")
    assert re.match(r"verifying partition 1 of 2: 5 of 10 events", err)
    assert "\x1b" not in out + err
    assert f"name  {'word ' * 30}\\x9b1m" in out


def test_hidden_progress_is_none() -> None:
    assert piped("hidden")[1] == "a remark \\x1b[31m\n"


def test_a_log_line_goes_where_stderr_is_at_the_moment(tmp_path: Path) -> None:
    program = (
        "import sys, logging\n"
        "from llm_orchestrator_state.cli import logs\n"
        "from llm_orchestrator_state.settings import Settings\n"
        "logs.configure(Settings(), client_lines=False)\n"
        f"sys.stderr = open({str(tmp_path / 'later')!r}, 'w')\n"
        "logging.getLogger('llm_orchestrator_state.x').warning('told')\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    assert "warning x: told" in (tmp_path / "later").read_text()


@pytest.mark.parametrize("words", [["--version"], ["get", "--help"], ["list"]])
def test_a_closed_stdout_ends_a_command_with_one_line(words: list[str]) -> None:
    command = ["sh", "-c", 'exec "$0" -m llm_orchestrator_state "$@" >&-', sys.executable, *words]
    ran = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (1, "error: stdout is closed; let it go to a file, or to /dev/null\n")


def test_a_closed_stdin_and_stderr_are_no_errors() -> None:
    command = ["sh", "-c", 'exec "$0" -m llm_orchestrator_state --version <&- 2>&-', sys.executable]
    assert "llm-orchestrator-state" in subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
