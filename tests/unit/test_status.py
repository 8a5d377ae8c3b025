from __future__ import annotations

import json

import pytest

from llm_orchestrator_state.errors import InvalidState
from llm_orchestrator_state.model import StepStatus, WorkflowStatus
from llm_orchestrator_state.wire.schemas import current


@pytest.mark.parametrize("text", ["running", "Running", "RUNNING", "rUnNiNg"])
def test_a_status_is_read_in_any_case(text: str) -> None:
    assert WorkflowStatus.parse(text) is WorkflowStatus.RUNNING
    assert StepStatus.parse(text) is StepStatus.RUNNING


def test_case_is_folded_as_unicode_does_like_the_crate() -> None:
    assert StepStatus.parse("s\N{KELVIN SIGN}ipped") is StepStatus.SKIPPED


@pytest.mark.parametrize("text", ["cancelled", " running", "running ", "", "unknown", "Skipped"])
def test_an_invalid_workflow_status_is_named_as_it_was_given(text: str) -> None:
    with pytest.raises(InvalidState) as caught:
        WorkflowStatus.parse(text)
    assert str(caught.value) == f"Invalid workflow status: {text}"


@pytest.mark.parametrize("text", ["paused", "Unknown", "done"])
def test_an_invalid_step_status_is_named_as_it_was_given(text: str) -> None:
    with pytest.raises(InvalidState) as caught:
        StepStatus.parse(text)
    assert str(caught.value) == f"Invalid step status: {text}"


@pytest.mark.parametrize("status", [*WorkflowStatus, *StepStatus])
def test_a_status_prints_as_its_lower_case_word(status: WorkflowStatus | StepStatus) -> None:
    assert str(status) == status.value == status.name.lower()
    assert json.dumps(status) == f'"{status.value}"'


def test_pending_running_and_paused_are_active() -> None:
    assert [status.value for status in WorkflowStatus if status.is_active] == ["pending", "running", "paused"]


@pytest.mark.parametrize(("name", "statuses"), [("WorkflowState", WorkflowStatus), ("StepState", StepStatus)])
def test_the_schema_has_the_same_statuses_in_the_same_order(
    name: str, statuses: type[WorkflowStatus | StepStatus]
) -> None:
    field = next(field for field in current(name)["fields"] if field["name"] == "status")
    assert field["type"]["symbols"] == [status.value for status in statuses]
