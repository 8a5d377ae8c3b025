"""The second fold's part about large values, from the rules' text alone.

It knows every output's text, and compares the whole state before an event with the whole state after it, where the first
fold follows what each event does and knows little but numbers.
"""

from __future__ import annotations

import hashlib
from typing import Any

State = dict[str, Any]
Texts = dict[int, str]
"""Every output of the run that is in the outputs topic, by its number."""

KEPT = 10


def bytes_of(text: str) -> int:
    return len(text.encode())


def held(run: State | None) -> dict[int, tuple[str, State]]:
    """By number: who holds the reference ("" for the context), and the reference."""
    if run is None:
        return {}
    holders = {"": run["context_ref"]} | {f"step {name}": step["outputs_ref"] for name, step in run["steps"].items()}
    return {ref["n"]: (holder, ref) for holder, ref in holders.items() if ref is not None}


def all_there(run: State | None, given: State | None, texts: Texts) -> bool:
    """Whether a given state refers to nothing that is gone, as far as the run's state can tell."""
    ours = held(run)
    waiting = [entry["n"] for entry in run["released_outputs"]] if run else []
    for n, (holder, ref) in held(given).items():
        as_context = holder == ""
        if n in ours:
            live_holder, live = ours[n]
            if (live_holder == "") != as_context or live["sha256"] != ref["sha256"] or live["bytes"] != ref["bytes"]:
                return False
        elif as_context:
            if -n not in waiting or reference(n, texts[n], 0) != {**ref, "born": 0}:
                return False
        elif n not in waiting:
            return False
    return True


def reference(n: int, text: str, born: int) -> State:
    return {"n": n, "bytes": bytes_of(text), "sha256": hashlib.sha256(text.encode()).digest(), "born": born}


def settle(before: State | None, after: State, event: dict[str, Any], limit: int, texts: Texts) -> None:
    """Everything inline in the state after the event, as the first half of the rules leaves it: what does not fit goes out.

    before: with its own references. after: checkpoint_count is still the old one.
    """
    kind, fields = event["transition"]
    count, ours = after["checkpoint_count"], held(before)
    changed: list[str] = []
    if kind in ("WorkflowCreated", "ContextUpdated"):
        changed, after["context_ref"] = [""], None
    elif kind in ("StepStarted", "StepCompleted", "StepFailed"):
        changed, after["steps"][fields["step_id"]]["outputs_ref"] = [fields["step_id"]], None
    elif kind in ("WorkflowSaved", "WorkflowRestored"):
        changed = ["", *after["steps"]]
        for n, (_, ref) in held(after).items():
            if n in ours:
                ref["born"] = ours[n][1]["born"]
                continue
            (entry,) = [each for each in after["released_outputs"] if abs(each["n"]) == n]
            after["released_outputs"] = [each for each in after["released_outputs"] if each is not entry]
            ref["born"] = min(ref["born"], entry["released"] - 1)
    for n, (holder, ref) in ours.items():
        if n not in held(after):
            if count == ref["born"]:
                del texts[n]
            else:
                after["released_outputs"].append({"n": n if holder else -n, "released": count})
    _put(after, after, changed, count, limit, texts)


def _put(run: State, given: State, changed: list[str], born: int, limit: int, texts: Texts) -> list[int]:
    """Places the changed values of a given state, one after the other. run: counts. Returns the new numbers."""
    steps: dict[str, Any] = given["steps"]
    there = 0
    if given["context_ref"] is None and "" not in changed:
        there += bytes_of(given["context"])
    there += sum(
        bytes_of(s["outputs"]) for name, s in steps.items() if s["outputs"] is not None and name not in changed
    )
    numbers = []
    for name in changed:
        holder, value, ref = (
            (steps[name], "outputs", "outputs_ref") if name in steps else (given, "context", "context_ref")
        )
        text = holder[value]
        if holder[ref] is not None or text is None:
            continue
        if there + bytes_of(text) <= limit:
            there += bytes_of(text)
            continue
        run["output_count"] += 1
        n = run["output_count"]
        holder[value], holder[ref] = "null" if holder is given else None, reference(n, text, born)
        texts[n] = text
        numbers.append(-n if holder is given else n)
    return numbers


def after_checkpoint(run: State, given: State | None, limit: int, texts: Texts) -> None:
    """checkpoint_count is the new one. given: the snapshot that the event carried, which is placed too."""
    count = run["checkpoint_count"]
    if given is not None:
        named = [-n if holder == "" else n for n, (holder, _) in held(given).items()]
        again = [entry["n"] for entry in run["released_outputs"] if entry["n"] in named]
        new = _put(run, given, ["", *given["steps"]], count - 1, limit, texts)
        run["released_outputs"] = [entry for entry in run["released_outputs"] if entry["n"] not in named]
        run["released_outputs"] += [{"n": n, "released": count} for n in [*again, *new]]
    for entry in list(run["released_outputs"]):
        if entry["released"] + KEPT <= count:
            run["released_outputs"].remove(entry)
            del texts[abs(entry["n"])]
