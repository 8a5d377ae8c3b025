"""What a running deployment lets others see: of its secrets, of its files, and on an operator's terminal."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import stat
import struct
import subprocess
import sys
import termios
import uuid
from pathlib import Path

import pytest

from llm_orchestrator_state.kafka.partitioner import partition_of
from llm_orchestrator_state.wire.jsonlines import parse_line
from tests.integration.harness import Stage, event, new_runs, until
from tests.integration.processes import CHECKOUT, Processes
from tests.unit.test_foreign_text import HOSTILE, is_dangerous

SECRET = "hunter2-never-shown"
MARKUP = "[red]no colour[/red] [link=http://evil]no link[/link] :smile:"
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
"""What we colour with ourselves."""


def test_a_worker_shows_its_secrets_and_its_states_to_nobody(
    stage: Stage, processes: Processes, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text(f"{SECRET}\n")
    # properties that a plain listener does not look at
    flags = [
        "-X",
        f"sasl.password=@{file}",
        "-X",
        f"ssl.key.password=@{file}",
        "-X",
        "debug=all",
        "--log-level",
        "debug",
    ]
    stage.publish(*new_runs(3))
    worker = processes.worker("state", None, *flags, processes=2)
    until(lambda: sum(offset or 0 for offset in stage.committed().values()) == 21)
    pids = [worker.process.pid, *map(int, re.findall(r"is process (\d+)", worker.log))]
    assert len(pids) == 3
    for pid in pids:
        assert SECRET.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()
        assert stat.S_IMODE(Path(f"/proc/{pid}/environ").stat().st_mode) == 0o400
    assert SECRET not in worker.log
    state = stage.directory / "state"
    assert len(list(state.rglob("CURRENT"))) == 2
    found = [path for path in [state, *state.rglob("*")] if not path.is_symlink()]
    assert [str(path) for path in found if path.stat().st_mode & 0o077] == []


# --- foreign text -----------------------------------------------------------------------------------------------------


class Attack:
    """A stage with a run whose every text is hostile, and rejections that are."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.run_id = run_id = str(uuid.uuid4())
        text = self.text = MARKUP + "".join(each.encode("utf-8", "ignore").decode() for each in HOSTILE.values())
        created = event(
            run_id, "workflow_created", workflow_id=text, workflow_name=text, user_id=text, labels={text: text},
            context={text: text}, parent={"id": str(uuid.uuid4()), "step_id": text},
        )  # fmt: skip
        step = {"step_id": text, "attempt": 1}
        stage.publish(
            created,
            event(run_id, "workflow_started", 1),
            event(run_id, "step_started", 2, **step, inputs={text: text}),
            event(run_id, "step_completed", 3, **step, outputs={text: text}, usage={text: 1}),
            event(run_id, "step_skipped", 4, step_id=f"{text}2", reason=text),
            event(run_id, "workflow_failed", 5, error=text, error_type=text),
            event(run_id, "step_failed", 6, step_id=text, attempt=9, error=text, error_type=text),
            event(str(uuid.uuid4()), "workflow_paused", reason=text),
        )
        bad = parse_line(json.dumps({"run_id": run_id, "type": "workflow_started", "occurred_at": "2026-01-05T09:30:00Z",
                                     "event_id": "2c7d3a52-6f0e-4d0b-9a8e-3b1f5c6d7e8f"}))  # fmt: skip
        raw = text.encode()
        encoded = stage.codec.encode_event(bad)
        stage.publish_raw((raw, raw), (raw, encoded), (raw, encoded[:-5] + raw), (None, b"\xc3\x01" + raw))
        stage.run_to_end()

    def printed(self, *words: str, terminal: bool) -> str:
        """Of a command that can do it; on a terminal both its outputs."""
        flags = ["--bootstrap-servers", self.stage.bootstrap, "--topic-prefix", self.stage.topics.prefix,
                 "--state-dir", str(self.stage.directory / "state")]  # fmt: skip
        command = [sys.executable, "-m", "llm_orchestrator_state", *flags, *words]
        kept = {name: text for name, text in os.environ.items() if not name.startswith("LLM_ORCHESTRATOR_STATE_")}
        # what a terminal's size is, only the terminal tells
        kept.pop("COLUMNS", None)
        environ = {**kept, "TERM": "xterm-256color", "XDG_CACHE_HOME": str(self.stage.directory / "cache")}
        if not terminal:
            return subprocess.run(
                command, capture_output=True, env=environ, cwd=CHECKOUT, check=True, stdin=subprocess.DEVNULL
            ).stdout.decode()
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 4000, 0, 0))
        with subprocess.Popen(
            command, stdout=theirs, stderr=theirs, stdin=subprocess.DEVNULL, env=environ, cwd=CHECKOUT
        ) as child:
            os.close(theirs)
            printed = b""
            try:
                while part := os.read(ours, 65536):
                    printed += part
            except OSError:  # the other end is closed
                os.close(ours)
        assert child.returncode == 0, printed
        return printed.decode().replace("\r\n", "\n")


@pytest.fixture(scope="module")
def attack(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Attack:
    stage = Stage(kafka, f"test-{uuid.uuid4().hex[:12]}", tmp_path_factory.mktemp("attack"))
    made = Attack(stage)
    stage.close()
    return made


READING = [
    ["get", "RUN"], ["list"], ["history", "RUN"], ["checkpoints", "RUN"], ["rejections", "list"], ["verify"], ["status"],
    ["rejections", "show", "REJECTED"], ["rejections", "show", "UNREADABLE"],
    ["rejections", "redrive", "--since", "1h", "--dry-run"],
]  # fmt: skip
WITHOUT_TEXT = [["verify"], ["status"]]


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_no_text_of_others_drives_the_terminal(attack: Attack, words: list[str]) -> None:
    partition = partition_of(attack.text.encode(), 2)
    places = {
        "RUN": attack.run_id,
        "REJECTED": attack.run_id,
        "UNREADABLE": f"{partition}:{unreadable(attack, partition)}",
    }
    shown = COLOUR.sub("", attack.printed(*(places.get(word, word) for word in words), terminal=True))
    assert {each for each in shown if is_dangerous(each)} <= {"\n"}
    assert MARKUP in shown or words in WITHOUT_TEXT


@pytest.mark.parametrize("words", [["get", "RUN"], ["rejections", "list"]], ids=" ".join)
def test_json_on_a_terminal_is_harmless_and_still_the_same(attack: Attack, words: list[str]) -> None:
    command = [attack.run_id if word == "RUN" else word for word in words]
    shown = attack.printed(*command, "--json", terminal=True)
    lines = [line for line in shown.splitlines() if line.startswith("{")]
    assert lines
    assert not {each for each in "".join(lines) if is_dangerous(each)}
    piped = attack.printed(*command, "--json", terminal=False)
    assert list(map(json.loads, lines)) == list(map(json.loads, piped.rstrip("\n").split("\n")))


def unreadable(attack: Attack, partition: int) -> int:
    """Offset of the first event with a hostile key."""
    keys = [message.key() for message in attack.stage.records("events", partition)]
    return keys.index(attack.text.encode())
