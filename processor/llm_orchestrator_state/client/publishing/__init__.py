"""Publishing: a publisher for threads and one for asyncio, and handles that make a run's events."""

from .async_publisher import AsyncPublisher
from .async_run import AsyncRunHandle, AsyncWorkflowRun
from .async_step import AsyncAttempt, AsyncAttempts, AsyncStep
from .delivery import AsyncDelivery, Delivery
from .ids import run_id_for
from .publisher import Publisher
from .run import RunHandle, WorkflowRun
from .step import Attempt, Attempts, Step

__all__ = [
    "AsyncAttempt",
    "AsyncAttempts",
    "AsyncDelivery",
    "AsyncPublisher",
    "AsyncRunHandle",
    "AsyncStep",
    "AsyncWorkflowRun",
    "Attempt",
    "Attempts",
    "Delivery",
    "Publisher",
    "RunHandle",
    "Step",
    "WorkflowRun",
    "run_id_for",
]
