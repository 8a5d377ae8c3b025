"""Text of others cannot drive or deceive a terminal, nor pass for lines of the log."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import unicodedata

import pytest

from llm_orchestrator_state.cli.logs import JsonFormatter, TextFormatter
from llm_orchestrator_state.printable import escaped, escaped_json

HOSTILE = {
    "colour": "\x1b[31mred",
    "title": "\x1b]0;title\x07",
    "link": "\x1b]8;;http://evil\x1b\\here",
    "control of the upper half": "\x9b31m\x9d0;t\x9c\x85",
    "new lines": "a\nb\rc\x0bd\x0ce\u2028f\u2029g\x1ch",
    "overrides": "\u202eevil\u202c\u2066x\u2069\u061c\u200f",
    "invisible": "a\u200bb\u2060c\ufeffd\u00ade\u180ef",
    "tags": "a\U000e0041\U000e0042\U000e007f",
    "annotations": "\ufff9a\ufffab\ufffb",
    "half a pair": "\ud800x\udfff",
    "erasing": "\x08\x08\x7f\x00",
}


def is_dangerous(character: str) -> bool:
    """By Unicode's own categories: controls, formats, surrogates, line and paragraph separators."""
    return unicodedata.category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_what_is_shown_has_nothing_in_it_that_drives_a_terminal(text: str) -> None:
    assert not [each for each in escaped(text) if is_dangerous(each)]
    assert all(each in escaped(text) for each in text if not is_dangerous(each))


@pytest.mark.parametrize("text", [text for name, text in HOSTILE.items() if name != "half a pair"])
def test_json_on_a_terminal_is_the_same_json(text: str) -> None:
    shown = escaped_json(json.dumps(text, ensure_ascii=False))
    assert not [each for each in shown if is_dangerous(each)]
    assert json.loads(shown) == text


def record(text: str) -> logging.LogRecord:
    made = logging.LogRecord("llm_orchestrator_state.x", logging.WARNING, "", 0, "%s", (text,), None)
    try:
        int(f"{text}\n2026-01-05T09:30:00.123Z error x: forged")
    except ValueError as error:
        error.args = (f"{text}\n2026-01-05T09:30:00.123Z error x: forged",)  # int() quotes it already escaped
        made.exc_info = sys.exc_info()
    return made


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_log_line_stays_one_line_and_what_an_exception_quotes_does_not_pass_for_one(text: str) -> None:
    first, *traceback = TextFormatter().format(record(text)).split("\n")
    assert escaped(text) in first
    assert all(line.startswith("  ") for line in traceback)
    assert not [each for each in first + "".join(traceback) if is_dangerous(each)]


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_a_log_line_as_json_is_one_line_of_plain_characters_that_says_the_same(text: str) -> None:
    line = JsonFormatter().format(record(text))
    assert not [each for each in line if is_dangerous(each)]
    assert json.loads(line)["message"] == text.encode(errors="backslashreplace").decode()


def test_the_traceback_of_what_nobody_foresaw_is_escaped_too() -> None:
    program = (
        "import sys\n"
        "from llm_orchestrator_state import __main__\n"
        "from llm_orchestrator_state.cli import main\n"
        "def run(_): raise RuntimeError('\\x1b[31m\\u202e')\n"
        "main.run = run\n"
        "__main__.main()\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.decode().startswith("Traceback (most recent call last):\n")
    assert ended.stderr.decode().endswith("RuntimeError: \\x1b[31m\\u202e\n")
