"""What each code means to a person, and what to do about it."""

from __future__ import annotations

from typing import NamedTuple

from ...model.verdicts import Code


class Explanation(NamedTuple):
    """why: what the processor found. advice: what would help."""

    why: str
    advice: str


_NEWER = Explanation("a reason that is newer than this program", "update this program to know more")

_EXPLANATIONS = {
    Code.UNDECODABLE: Explanation(
        "The bytes are no event: they are cut off, empty, or of something else.",
        "Correct the publisher; what it meant to say has to be published anew, because nobody can read it from these bytes.",
    ),
    Code.UNKNOWN_SCHEMA: Explanation(
        "It was written with a schema that the worker did not know.",
        "Update the workers, or give them the schema registry (--schema-registry-url); then redrive it.",
    ),
    Code.INVALID_PAYLOAD: Explanation(
        "A field has a value that no event may have.",
        "Correct the publisher. `show --json` has the event's fields: correct them and give them to `publish`.",
    ),
    Code.KEY_MISMATCH: Explanation(
        "The Kafka key is not the run id, so the event may lie on another run's partition.",
        "Set the key to run_id as lower-case text in the publisher. `publish` sets it: give it the event of `show --json`.",
    ),
    Code.WRONG_PARTITION: Explanation(
        "The publisher put a new run on another partition than murmur2 gives, and its other events would not be found.",
        "Set partitioner=murmur2_random in the publisher; then redrive this one, which chooses the right partition.",
    ),
    Code.UNKNOWN_RUN: Explanation(
        "There was no such run: its workflow_created was missing, rejected, or came later; or the run had been deleted.",
        "See that the run exists (`get`), then redrive it. A run's events have to be published in their order.",
    ),
    Code.RUN_EXISTS: Explanation(
        "A run was created that existed already.",
        "Usually harmless: somebody published the same again. If it was meant to be another run, it needs another run id.",
    ),
    Code.FENCED: Explanation(
        "Its orchestrator had been replaced: the run has seen a higher fencing token.",
        "Usually right as it is: a process that was thought dead woke up. To say it all the same, publish it with the "
        "present token.",
    ),
    Code.STALE_ATTEMPT: Explanation(
        "It tells of an attempt of the step that was over: a newer one had begun, or it had been given up for a retry.",
        "Usually right as it is: a late answer of a call that had timed out. It is judged by its attempt, not by its id, "
        "so publishing it again gives the same answer.",
    ),
    Code.VERSION_CONFLICT: Explanation(
        "It was decided on another version of the run than the one that was there.",
        "Read the run again, decide anew, and publish what follows from that.",
    ),
    Code.ILLEGAL_TRANSITION: Explanation(
        "The run's or the step's status did not allow it.",
        "If the run is in the right status now, redrive it; a failed run has to be resumed first (workflow_resumed).",
    ),
    Code.STATE_TOO_LARGE: Explanation(
        "The run's state would have become larger than 8 MiB.",
        "Publish smaller outputs and context: references to large values, not the values.",
    ),
}


def explanation(code: str) -> Explanation:
    """Of a code in a record's header, which may be one that this program does not know."""
    return _EXPLANATIONS[Code(code)] if code in _EXPLANATIONS else _NEWER
