"""Clients that take no account of the other side: python -m tests.faults.greedy WHAT BOOTSTRAP PREFIX

publisher: events of 40 KB, of new runs, until it is refused. watcher: a watch whose changes nobody takes, until its standard
input ends. Each says on stderr when it is at work, and how it ended.
"""

from __future__ import annotations

import sys
from uuid import uuid4

from llm_orchestrator_state import Publisher, StateReader
from llm_orchestrator_state.errors import StateError
from llm_orchestrator_state.model import TransitionEvent, WorkflowCreated


def publisher(bootstrap: str, prefix: str) -> None:
    created = WorkflowCreated(workflow_id="w", workflow_name="W", context={"text": "x" * 40_000})
    with Publisher(bootstrap, topic_prefix=prefix, properties={"delivery.timeout.ms": "4000"}) as publishing:
        publishing.publish(TransitionEvent(run_id=uuid4(), transition=created)).result()
        say("at work")
        sys.stdin.readline()
        while True:
            publishing.publish(TransitionEvent(run_id=uuid4(), transition=created))


def watcher(bootstrap: str, prefix: str) -> None:
    with StateReader(bootstrap, topic_prefix=prefix) as reader, reader.watch(current=True), reader.watch(stale_for=900):
        say("at work")
        sys.stdin.read()


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    _, what, *where = sys.argv
    try:
        {"publisher": publisher, "watcher": watcher}[what](*where)
    except StateError as error:
        say(f"refused: {error}")
