"""How an exception is told in an event."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from ...errors import StateError

log = logging.getLogger(__name__)

LONGEST_ERROR = 10_000
"""Characters of an error's text: a failure must be small enough to be published whatever went wrong."""


def error_text(error: BaseException) -> str:
    """Its message, or its class where it has none."""
    text = str(error) or type(error).__name__
    if len(text) > LONGEST_ERROR:
        text = text[: LONGEST_ERROR - 1] + "…"
    return text.encode(errors="replace").decode()


def error_type(error: BaseException) -> str:
    """``cancelled``, ``timed_out``, or the exception's class."""
    if isinstance(error, (asyncio.CancelledError, concurrent.futures.CancelledError)):
        return "cancelled"
    if isinstance(error, TimeoutError):
        return "timed_out"
    return type(error).__name__


@contextmanager
def besides(error: BaseException) -> Iterator[None]:
    """For telling of an error: where that fails too, the error stays what it is, with a note."""
    try:
        yield
    except StateError as failure:
        log.error("%s could not be published: %s", type(error).__name__, failure)
        error.add_note(f"besides, this could not be published: {failure}")
