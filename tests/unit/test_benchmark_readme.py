"""The README's figures are those of a run of the benchmark, and what is asked of them is told beside them."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from tests.benchmarks.reach import NOT_MEASURED, TARGETS, rows
from tests.benchmarks.readme import BEGIN, END, KEPT, block, merged, replaced, shown
from tests.readme import README


def kept() -> dict[str, Any]:
    figures: dict[str, Any] = msgspec.json.decode(KEPT.read_bytes())
    return figures


def of(what: str, figures: dict[str, float]) -> tuple[str, str]:
    return next((row.measured, row.met) for row in rows(figures) if row.what.startswith(what))


def test_the_readme_has_what_the_command_writes_of_the_figures_that_are_kept() -> None:
    assert shown(README.read_text()) == block(kept())


def test_the_readme_names_the_machine_and_the_day() -> None:
    machine = kept()["machine"]
    line = shown(README.read_text()).partition("\n\n")[0]
    assert re.match(r"Measured \d{4}-\d\d-\d\d on \d+ cores of ", line)
    assert machine["cpu"] in line
    assert f"kafka {machine['kafka']}" in line


def test_every_target_is_a_row() -> None:
    assert [row.what for row in rows({})] == [target.what for target in TARGETS]
    assert {(row.measured, row.met) for row in rows({})} == {(NOT_MEASURED, "")}


def test_a_target_is_met_when_all_its_figures_reach_it() -> None:
    names = [f"latency.kafka_streams.rate_{rate}.p50" for rate in (1000, 20)]
    assert of("p50 / Kafka", dict(zip(names, (0.4, 0.5), strict=True))) == ("0.40; 0.50", "yes")
    assert of("p50 / Kafka", dict(zip(names, (0.4, 0.51), strict=True))) == ("0.40; 0.51", "no")
    assert of("p50 / Kafka", {names[0]: 0.4}) == (NOT_MEASURED, "")


def test_the_greatest_memory_of_all_parts_counts() -> None:
    assert of("greatest memory", {"peak_mib.restore": 300.0, "peak_mib.long_runs": 1_025.0}) == ("1,025", "no")


def test_only_what_is_between_the_markers_is_replaced() -> None:
    before = f"# Title\n\n{BEGIN}\n\nold\n\n{END}\n\nmore\n"
    assert replaced(before, "new") == f"# Title\n\n{BEGIN}\n\nnew\n\n{END}\n\nmore\n"
    with pytest.raises(ValueError, match="has no"):
        replaced("# Title\n", "new")


def test_a_later_file_adds_parts_and_replaces_them_only_on_the_same_machine() -> None:
    one = {"machine": kept()["machine"], "start": 1, "store": 1}
    other = {"machine": kept()["machine"], "start": 2}
    assert merged([one, other]) == {"machine": one["machine"], "start": 2, "store": 1}
    elsewhere = {"machine": {**kept()["machine"], "cores": "64"}}
    with pytest.raises(ValueError, match="another machine"):
        merged([one, elsewhere])
