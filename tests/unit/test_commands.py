"""The table of commands, and mistakes in calling those about runs."""

from __future__ import annotations

import pytest
from typer.main import get_command

from llm_orchestrator_state.cli.main import PANELS, app, run

RUN = "6f1b8b0e-93a5-4c1e-8a52-0d7c3f4e5a6b"
NAMES = [name for commands in PANELS.values() for name in commands]


@pytest.mark.parametrize("name", NAMES)
def test_every_command_of_the_table_can_be_made_and_says_what_it_does(name: str) -> None:
    command = get_command(app).commands[name]  # type: ignore[attr-defined] # it is a group
    assert command.name == name
    assert command.help


def test_the_help_shows_the_commands_in_groups(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert run(["--help"]) == 0
    shown = capsys.readouterr().out
    places = [shown.index(f"─ {panel} ─") for panel in PANELS]
    assert places == sorted(places)
    for panel, following in zip(PANELS, [*places[1:], len(shown)], strict=True):
        part = shown[shown.index(f"─ {panel} ─") : following]
        assert all(f"│ {name} " in part for name in PANELS[panel])


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["fail", RUN], "Missing option '--error'"),
        (["purge"], "Missing option '--older-than'"),
        (["purge", "--older-than", "soon"], "'soon' is not a duration"),
        (["purge", "--older-than", "1d", "--status", "running"], "expected completed or failed"),
        (["pause", "42"], "run id '42' is not a UUID"),
        (["pause", RUN, "--timeout", "x"], "'x' is not a duration"),
        (["restore", RUN, "--checkpoint", "newest"], "checkpoint id 'newest' is not a UUID"),
        (["history", "42"], "run id '42' is not a UUID"),
        (["watch", "--status", "failed", "--active"], "give --status or --active, not both"),
        (["watch", "--status", "gone"], "Invalid workflow status: gone"),
        (["histroy", RUN], "Did you mean 'history'?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_line_and_exit_code_2(words: list[str], text: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert text in err
