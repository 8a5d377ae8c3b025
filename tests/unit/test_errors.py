"""The tree of errors."""

from __future__ import annotations

import inspect
import pickle

import pytest

from llm_orchestrator_state import errors
from llm_orchestrator_state.cli.help import exit_codes

KINDS = [kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, errors.StateError)]


def depth(kind: type[BaseException]) -> int:
    return kind.__mro__.index(errors.StateError)


def test_the_tree_in_the_documentation_has_every_error_below_its_parent() -> None:
    assert errors.__doc__
    drawn: list[tuple[str, str]] = []
    parent = ""
    for line in errors.__doc__.splitlines():
        mark, name = line[: line.find("─")], line.lstrip("│├└─ ").split(" ")[0]
        if "─" not in line:
            continue
        nested = len(mark) > 1
        drawn.append((name, parent if nested else "StateError"))
        parent = parent if nested else name
    assert sorted(drawn) == sorted((kind.__name__, kind.__bases__[0].__name__) for kind in KINDS if depth(kind))


def test_what_was_waited_for_too_long_is_caught_as_either_kind_and_has_the_exit_code_of_a_connection() -> None:
    error = errors.TimedOut("nothing was heard within 3 s")
    for kind in (errors.Connection, TimeoutError):
        with pytest.raises(kind, match=r"^nothing was heard within 3 s$"):
            raise error
    assert error.exit_code == errors.Connection.exit_code == 3
    assert "timeout_s" not in exit_codes()[3]
    copied = pickle.loads(pickle.dumps(error))
    assert (type(copied), str(copied)) == (errors.TimedOut, str(error))
