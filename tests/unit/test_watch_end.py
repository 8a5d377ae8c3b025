"""How ``watch`` ends by a signal: see tests/integration/test_run_watch.py for the whole."""

from __future__ import annotations

import signal

import pytest

from llm_orchestrator_state.cli.watch import _End, _EndedError


def test_a_signal_that_comes_while_locks_may_be_held_is_only_noted_and_a_second_one_ends_the_wait() -> None:
    end = _End()
    end.is_looked_for = True
    end.come(signal.SIGINT, None)
    assert end.number == signal.SIGINT
    with pytest.raises(_EndedError):
        end.come(signal.SIGTERM, None)


def test_a_signal_that_comes_while_something_is_written_ends_that() -> None:
    end = _End()
    with pytest.raises(_EndedError):
        end.come(signal.SIGTERM, None)
