"""The story: agents run, the worker folds, is killed, loses its store, and every run still has its one true state."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

from ...units import size_text
from ..simulator.orchestrator import codec_of
from .acts import compare_with_published, create_topics, verify
from .live import seconds_text
from .next_steps import show_next_steps
from .observer import Observer
from .stage import Stage
from .stream import Stream
from .summary import Summary, show_summary


def tell_story(stage: Stage) -> int:
    """The exit code. Raises CommandFailed, Connection, KafkaException."""
    partitions = create_topics(stage)
    with Observer(stage.cluster, partitions, codec_of(stage.settings).decode_state) as observer:
        streamed = Stream(stage, observer).play()
    _lose_the_store(stage)
    verified = verify(stage)
    compare_with_published(stage, verified, streamed.simulated)
    found = Summary.read(stage)
    show_summary(stage.screen, found, verified, streamed)
    show_next_steps(stage, found)
    return 0


def _lose_the_store(stage: Stage) -> None:
    screen, directory = stage.screen, stage.settings.state_dir
    screen.act("restore", "The worker's disk is lost: the state topic alone gives every run back")
    size = _size(directory)
    shutil.rmtree(directory)
    screen.fact(f"{size_text(size)} of RocksDB deleted")
    began = time.monotonic()
    worker = stage.commands.start("worker", "--until-end")
    with screen.working("restoring …"):
        worker.wait()
    stage.commands.ended(worker)
    screen.fact(
        f"{size_text(_size(directory))} again after {seconds_text(time.monotonic() - began)}, and no event folded anew"
    )


def _size(directory: Path) -> int:
    """Bytes in its files."""
    return sum(file.stat().st_size for file in directory.rglob("*") if file.is_file())
