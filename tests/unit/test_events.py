from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

import msgspec
import pytest

from llm_orchestrator_state.errors import InvalidState, Serialization
from llm_orchestrator_state.model import KINDS, ContextUpdated, StepCompleted, TransitionEvent, WorkflowStarted
from llm_orchestrator_state.model.kinds import KIND_OF_WORD
from llm_orchestrator_state.wire.schemas import current

BRANCHES = next(field["type"] for field in current("TransitionEvent")["fields"] if field["name"] == "transition")
RUN = UUID("6f1b8b0e-93a5-4c1e-8a52-0d7c3f4e5a6b")


def test_there_is_one_type_for_each_kind_of_the_schema_and_no_other() -> None:
    assert list(KINDS) == [branch["name"] for branch in BRANCHES]
    assert len(KINDS) == 19


@pytest.mark.parametrize("branch", BRANCHES, ids=lambda branch: str(branch["name"]))
def test_a_kind_has_the_fields_of_the_schema_and_the_same_ones_are_required(branch: dict[str, object]) -> None:
    fields = branch["fields"]
    assert isinstance(fields, list)
    kind = msgspec.structs.fields(KINDS[str(branch["name"])])
    assert [field["name"] for field in fields] == [field.name for field in kind]
    # the JSON forms default to null; Avro's default is for readers and so need not be declared where it is null
    assert [field["name"] for field in fields if "default" not in field] == [f.name for f in kind if f.required]


def test_each_kind_has_a_word_for_json_lines() -> None:
    assert KIND_OF_WORD["step_completed"] == "StepCompleted"
    assert KIND_OF_WORD["checkpoints_trimmed"] == "CheckpointsTrimmed"
    assert len(KIND_OF_WORD) == 19


def test_an_event_gets_a_random_id_and_the_present_unless_given() -> None:
    before = datetime.now(UTC)
    event = TransitionEvent(run_id=RUN, transition=WorkflowStarted())
    assert event.event_id.version == 4
    assert before <= event.occurred_at <= datetime.now(UTC)
    assert event.event_id != TransitionEvent(run_id=RUN, transition=WorkflowStarted()).event_id


def test_outputs_of_none_are_nothing_and_a_patch_of_none_is_the_json_null() -> None:
    assert StepCompleted(step_id="a").to_fields()["outputs"] is None
    assert ContextUpdated(patch=None).to_fields()["patch"] == "null"


def test_a_kind_newer_than_this_program_is_refused_when_read() -> None:
    record = TransitionEvent(run_id=RUN, transition=WorkflowStarted()).to_record()
    record["transition"] = ("WorkflowArchived", {})
    with pytest.raises(Serialization, match="WorkflowArchived is newer than this program"):
        TransitionEvent.from_record(record)


def test_a_run_id_that_is_no_uuid_is_refused_when_read() -> None:
    record = TransitionEvent(run_id=RUN, transition=WorkflowStarted()).to_record()
    record["run_id"] = "run-1"
    with pytest.raises(Serialization, match="'run-1' is no UUID"):
        TransitionEvent.from_record(record)


def test_inputs_that_are_no_json_are_refused_when_written() -> None:
    event = TransitionEvent(run_id=uuid4(), transition=StepCompleted(step_id="a", outputs={1j}))
    with pytest.raises(InvalidState, match="outputs has no JSON form"):
        event.to_record()
