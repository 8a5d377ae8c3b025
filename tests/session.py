"""Records the README's terminal session: python -m tests.session

Real commands on a real Kafka, in a terminal of their own, drawn as deploy/session.svg.
"""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

from rich.console import Console
from rich.text import Text

from llm_orchestrator_state.settings import PROGRAM
from tests.cluster import KafkaCluster
from tests.readme import CHECKOUT

COLUMNS, LINES = 118, 200
RUNS = ["simulate", "--runs", "60", "--rate", "max", "--orchestrators", "2", "--seed", "7"]


def main() -> None:
    with tempfile.TemporaryDirectory() as name, KafkaCluster(Path(name)) as kafka:
        session = Session(kafka.bootstrap, Path(name))
        session.quietly("topics", "create", "--partitions", "2")
        session.quietly(*RUNS)
        session.quietly("worker", "--until-end")
        failed = json.loads(session.quietly("list", "--status", "failed", "--workflow-id", "research-agent", "--json"))
        session.shown("list", "--status", "failed")
        session.shown("history", failed["id"])
        session.shown("rejections", "list", "--limit", "4")
        (CHECKOUT / "deploy" / "session.svg").write_text(session.drawn())


class Session:
    def __init__(self, bootstrap: str, directory: Path) -> None:
        own = {
            "LLM_ORCHESTRATOR_STATE_BOOTSTRAP_SERVERS": bootstrap,
            "LLM_ORCHESTRATOR_STATE_STATE_DIR": str(directory / "state"),
            "XDG_CACHE_HOME": str(directory / "cache"),
            "TERM": "xterm-256color",
        }
        self._environment = {**os.environ, **own}
        self._screen = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)

    def quietly(self, *words: str) -> str:
        """The first line that a command prints."""
        ran = subprocess.run(_command(*words), env=self._environment, stdout=subprocess.PIPE, text=True, check=True)
        return ran.stdout.partition("\n")[0]

    def shown(self, *words: str) -> None:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
        with subprocess.Popen(_command(*words), env=self._environment, stdout=theirs, stderr=subprocess.DEVNULL) as ran:
            os.close(theirs)
            text = _read(ours)
        if ran.returncode:
            sys.exit(f"{words} ended with exit code {ran.returncode}")
        self._screen.print(Text(f"$ {PROGRAM} {' '.join(words)}", style="bold"))
        self._screen.print(Text.from_ansi(text))

    def drawn(self) -> str:
        svg = self._screen.export_svg(title=PROGRAM)
        # whoever looks at it shall not fetch fonts from elsewhere
        return re.sub(r"@font-face \{.*?\}|<!--.*?-->", "", svg, flags=re.DOTALL)


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "llm_orchestrator_state", *words]


def _read(terminal: int) -> str:
    """All that comes, until its other side is closed: which Linux tells as an error."""
    found = b""
    with open(terminal, "rb", buffering=0) as file:
        while True:
            try:
                piece = file.read(65_536)
            except OSError:
                break
            if not piece:
                break
            found += piece
    return found.decode().replace("\r\n", "\n")


if __name__ == "__main__":
    main()
