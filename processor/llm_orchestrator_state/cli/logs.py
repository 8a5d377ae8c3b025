"""The log: standard logging to stderr, as text or as one JSON object a line."""

from __future__ import annotations

import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

import msgspec

from ..printable import escaped, escaped_json
from ..settings import Settings

PACKAGE = "llm_orchestrator_state"
CLIENT_LOGGER = "llm_orchestrator_state.kafka.logs"
"""Where librdkafka's own lines arrive."""


def configure(settings: Settings, *, client_lines: bool, worker: str | None = None) -> None:
    """Log to stderr from now on.

    client_lines: whether librdkafka's own lines are shown below debug level. A worker's operator needs them; a command
    that ends in a second says itself what went wrong, in one line.
    worker: identity that every line bears, where several processes write to one log.
    """
    handler = _ToStderr()
    handler.setFormatter(JsonFormatter(worker) if settings.log_format == "json" else TextFormatter(worker))
    level = settings.log_level.upper()
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger(PACKAGE).setLevel(level)
    silent = not client_lines and level != "DEBUG"
    logging.getLogger(CLIENT_LOGGER).setLevel(logging.CRITICAL + 1 if silent else logging.NOTSET)


class _ToStderr(logging.StreamHandler[TextIO]):
    """To what stderr is at the moment: while a bar is shown, that writes above it."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override] # a plain attribute there, as in logging's own last resort
        return sys.stderr


def _instant(record: logging.LogRecord) -> str:
    text = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


class TextFormatter(logging.Formatter):
    """`2026-01-05T09:30:00.123Z warning engine.worker: text`; a traceback follows on lines of its own, indented: what an
    exception quotes shall not pass for a line of the log.

    With a worker's identity it stands before the text, in square brackets.
    """

    def __init__(self, worker: str | None = None) -> None:
        super().__init__()
        self._worker = f"[{worker}] " if worker else ""

    def format(self, record: logging.LogRecord) -> str:
        source = record.name.removeprefix(f"{PACKAGE}.")
        line = f"{_instant(record)} {record.levelname.lower()} {source}: {self._worker}{escaped(record.getMessage())}"
        if not record.exc_info:
            return line
        return "\n".join([line, *(f"  {escaped(each)}" for each in self.formatException(record.exc_info).splitlines())])


class JsonFormatter(logging.Formatter):
    """`{"time", "level", "worker"?, "logger", "message", "exception"?}`."""

    def __init__(self, worker: str | None = None) -> None:
        super().__init__()
        self._worker = {"worker": worker} if worker else {}

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": _instant(record),
            "level": record.levelname.lower(),
            **self._worker,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        # half a surrogate pair, of a file name that is no UTF-8, is no JSON
        whole = {name: text.encode(errors="backslashreplace").decode() for name, text in entry.items()}
        return escaped_json(msgspec.json.encode(whole).decode())
