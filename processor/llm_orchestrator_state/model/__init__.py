"""The model: states, their statuses, and the events that change them. Pure: no files, no sockets."""

from .checkpoint import Checkpoint
from .events import TransitionEvent
from .kinds import (
    KINDS,
    CheckpointRequested,
    CheckpointsTrimmed,
    ContextUpdated,
    StepCompleted,
    StepCreated,
    StepFailed,
    StepHeartbeat,
    StepRetried,
    StepSkipped,
    StepStarted,
    Transition,
    WorkflowCompleted,
    WorkflowCreated,
    WorkflowDeleted,
    WorkflowFailed,
    WorkflowPaused,
    WorkflowRestored,
    WorkflowResumed,
    WorkflowSaved,
    WorkflowStarted,
)
from .references import OutputRef, ParentStep, ReleasedOutput
from .state import WorkflowState
from .status import StepStatus, WorkflowStatus
from .step import StepState

__all__ = [
    "KINDS",
    "Checkpoint",
    "CheckpointRequested",
    "CheckpointsTrimmed",
    "ContextUpdated",
    "OutputRef",
    "ParentStep",
    "ReleasedOutput",
    "StepCompleted",
    "StepCreated",
    "StepFailed",
    "StepHeartbeat",
    "StepRetried",
    "StepSkipped",
    "StepStarted",
    "StepState",
    "StepStatus",
    "Transition",
    "TransitionEvent",
    "WorkflowCompleted",
    "WorkflowCreated",
    "WorkflowDeleted",
    "WorkflowFailed",
    "WorkflowPaused",
    "WorkflowRestored",
    "WorkflowResumed",
    "WorkflowSaved",
    "WorkflowStarted",
    "WorkflowState",
    "WorkflowStatus",
]
