"""Headers of output records."""

from __future__ import annotations

import pytest

from llm_orchestrator_state.kafka.headers import source_offset
from llm_orchestrator_state.kafka.interface import Headers


@pytest.mark.parametrize(
    ("headers", "offset"),
    [
        ([("code", b"fenced"), ("source-offset", b"17")], 17),
        ([("source-offset", b"0")], 0),
        ([("code", b"fenced")], -1),
        ([], -1),
        (None, -1),
    ],
)
def test_a_record_tells_how_far_its_run_was_judged(headers: Headers | None, offset: int) -> None:
    assert source_offset(headers) == offset
