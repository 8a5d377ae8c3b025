"""A worker of several processes: how each is started, and what each does besides its work."""

from __future__ import annotations

import os
import signal
import sys

import msgspec

from ..engine.clock import SystemClock
from ..engine.memory import memory_of_each
from ..engine.supervision.child import Child
from ..engine.supervision.lifeline import hold
from ..engine.supervision.reports import Report, ReportWriter
from ..engine.supervision.supervisor import Supervisor
from ..errors import StateError
from ..settings import ENVIRONMENT_PREFIX, Settings
from ..settings_sources import as_environment
from .identity import Identity, identities_of
from .metrics import serve
from .session import Session
from .worker_loop import How, stopping, work

SUPERVISED = "--supervised"
"""The flag with which this program starts itself as one process of a worker."""


def supervise(call: Session, processes: int, how: How) -> int:
    """Until all have ended; returns the exit code. Raises StateError: what ended them."""
    settings = msgspec.structs.replace(
        call.settings, bootstrap_servers=call.bootstrap_servers, memory=memory_of_each(call.settings.memory, processes)
    )
    flags = ["--until-end"] * how.until_end + ["--keep-membership"] * how.keep_membership
    # not the current directory: what lies there is not ours
    command = [sys.executable, "-P", "-m", "llm_orchestrator_state", "worker", SUPERVISED, *flags]
    children = [
        _child(command, who, settings_of(settings, who.instance_id)) for who in identities_of(settings, processes)
    ]
    supervisor = Supervisor(children, SystemClock(), until_end=how.until_end)
    serve(settings, supervisor.latest, supervisor.restarts)
    return supervisor.run()


def settings_of(settings: Settings, instance_id: str) -> Settings:
    """One process's: it has no figures of its own."""
    return msgspec.structs.replace(settings, instance_id=instance_id, processes=1, metrics_port=None)


def _child(command: list[str], who: Identity, settings: Settings) -> Child:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(ENVIRONMENT_PREFIX)}
    # in the environment, because everybody on this machine can see arguments, and so passwords
    environment = inherited | as_environment(settings)
    # with its lock, so that its identity is free when both have ended, not when only the supervisor has
    return Child(who.instance_id, command, environment, [] if who.lock is None else [who.lock])


def work_supervised(call: Session, how: How) -> int:
    """As one of those processes; returns the exit code. An error of ours is told to the supervisor, not to the user."""
    reports = ReportWriter(_taken_stdout())
    with stopping() as stop:

        def end() -> None:
            stop.signal = signal.SIGTERM

        hold(sys.stdin.fileno(), end)
        try:
            assert call.settings.instance_id
            work(call, call.settings.instance_id, how, stop, lambda progress: reports.tell(Report(progress)))
        except StateError as error:
            reports.tell(Report(error=str(error) or (error.__doc__ or "")))
            return error.exit_code
    return 0


def _taken_stdout() -> int:
    """The pipe to the supervisor. What anybody prints goes to the log instead."""
    descriptor = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return descriptor
