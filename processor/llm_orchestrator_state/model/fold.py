"""The fold: one event applied to the state of its run.

Pure: the event's occurred_at is its only clock, so a replay of the same events gives the same state.
"""

from __future__ import annotations

from .effects import EFFECTS
from .ids import remembers, short_id
from .limits import WINDOW
from .placement import PLACED, Placement
from .records import EventRecord, StateRecord, StepRecord
from .referring import GIVEN_STATES, gone_reference
from .transitions import NO_RUN, NO_STEP, RULES, Rule
from .verdicts import Code, Rejection, Verdict

APPLIED = Verdict.APPLIED
DUPLICATE = Verdict.DUPLICATE

CHECKPOINTED = {
    "step": frozenset({"StepCompleted", "CheckpointRequested"}),
    "requested": frozenset({"CheckpointRequested"}),
    "off": frozenset[str](),
}
"""The kinds that make a checkpoint when they are applied, by the topic set's policy."""

_WINDOW_BYTES = 8 * WINDOW


def fold(
    state: StateRecord | None, event: EventRecord, policy: str, placement: Placement | None = None
) -> tuple[Verdict | Rejection, StateRecord | None]:
    """The verdict on a checked event (payload_problem() found nothing) and the run's state after it.

    placement: the run's, which is told what goes out; None where everything stays inline.
    An applied event changes the given state in place and returns it (None: deleted); otherwise nothing is changed.
    """
    kind, fields = event["transition"]
    rule = RULES[kind]
    attempt: int | None = fields.get("attempt")
    short = b""
    if attempt is None:
        short = short_id(event["event_id"])
        if state is not None and remembers(state["recent_event_ids"], short):
            return DUPLICATE, state

    step: StepRecord | None = None
    if state is None:
        if NO_RUN not in rule.runs:
            return Rejection(Code.UNKNOWN_RUN, f"{kind} for a run that does not exist"), None
    else:
        if kind == "WorkflowCreated":
            return Rejection(Code.RUN_EXISTS, f"the run exists, with version {state['version']}"), state
        if rejection := _fenced(state, event["fencing_token"]):
            return rejection, state
        if rule.steps is not None:
            step = state["steps"].get(fields["step_id"])
            if attempt is not None and step is not None and attempt <= step["attempt"]:
                verdict = _judge_attempt(kind, attempt, step)
                if verdict is not None:
                    return verdict, state

    expected = event["expected_version"]
    if expected is not None and expected != (version := 0 if state is None else state["version"]):
        return Rejection(Code.VERSION_CONFLICT, f"expected version {expected}, the run has {version}"), state
    if rejection := _illegal(event, rule, state, step, placement):
        return rejection, state

    return APPLIED, _apply(state, event, rule, short, policy, placement)


def _fenced(state: StateRecord, token: int | None) -> Rejection | None:
    highest = state["fencing_token"]
    if token is None or highest is None or token >= highest:
        return None
    return Rejection(Code.FENCED, f"fencing token {token}, and {highest} was seen")


def _judge_attempt(kind: str, attempt: int, step: StepRecord) -> Verdict | Rejection | None:
    """Of an attempt that is not newer than the step's: None where it is not decided by the attempt alone."""
    current, status = step["attempt"], step["status"]
    if attempt < current:
        return Rejection(Code.STALE_ATTEMPT, f"attempt {attempt}, and attempt {current} has begun")
    if kind == "StepStarted":
        return DUPLICATE
    if kind == "StepHeartbeat":
        return None
    if status == "pending":  # retried: this attempt is closed
        if kind == "StepCompleted":
            return Rejection(Code.STALE_ATTEMPT, f"attempt {attempt} was given up for a retry")
        return DUPLICATE
    outcome = _OUTCOME.get(kind)
    if outcome is None or status not in ("completed", "failed"):
        return None
    if status == outcome:
        return DUPLICATE
    return Rejection(Code.ILLEGAL_TRANSITION, f"{kind}, and attempt {attempt} has {status} already")


_OUTCOME = {"StepCompleted": "completed", "StepFailed": "failed"}


def _illegal(
    event: EventRecord, rule: Rule, state: StateRecord | None, step: StepRecord | None, placement: Placement | None
) -> Rejection | None:
    kind = event["transition"][0]
    if state is not None and (detail := _out_of_turn(kind, rule, state, step, event["occurred_at"])):
        return Rejection(Code.ILLEGAL_TRANSITION, detail)
    if kind in GIVEN_STATES:
        read_context = None if placement is None else placement.read_context
        if gone := gone_reference(state, event, read_context):
            return Rejection(Code.ILLEGAL_TRANSITION, gone)
    return None


def _out_of_turn(kind: str, rule: Rule, state: StateRecord, step: StepRecord | None, at: int) -> str | None:
    run_status = state["status"]
    step_status = step["status"] if step is not None else NO_STEP
    if run_status not in rule.runs:
        if run_status in rule.in_flight and step_status == "running":
            return None
        return f"{kind} while the run is {run_status}"
    if rule.steps is not None and step_status not in rule.steps:
        return f"{kind} while the step is {step_status}"
    if kind == "WorkflowResumed" and run_status == "failed":
        ended = state["completed_at"]
        if ended is not None and at < ended:
            return "WorkflowResumed from before the run's failure"
    return None


def _apply(
    state: StateRecord | None, event: EventRecord, rule: Rule, short: bytes, policy: str, placement: Placement | None
) -> StateRecord | None:
    kind, fields = event["transition"]
    if rule.run_to == NO_RUN:
        if placement is not None and state is not None:
            placement.run_deleted(state)
        return None
    at = event["occurred_at"]
    if placement is not None and kind in PLACED:
        state = PLACED[kind](placement, EFFECTS[kind], state, event)
    else:
        state = EFFECTS[kind](state, fields, event)
    if rule.run_to is not None:
        state["status"] = rule.run_to
        if kind != "WorkflowPaused":
            state["status_reason"] = None
    state["version"] += 1
    state["last_event_id"] = event["event_id"].lower()
    if at > state["updated_at"] and kind != "WorkflowSaved":
        state["updated_at"] = at
    token = event["fencing_token"]
    if token is not None:
        state["fencing_token"] = token  # the highest: a lower one was rejected
    if short:
        state["recent_event_ids"] = (state["recent_event_ids"] + short)[-_WINDOW_BYTES:]
    if kind in CHECKPOINTED[policy]:
        state["checkpoint_count"] += 1
        if placement is not None:
            placement.checkpointed(state, fields.get("snapshot"))
    return state
