from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator

import pytest

from tests.docker.cache import CHECKOUT, run
from tests.docker.health import becomes_healthy, state_of

PATIENCE_S = 60.0
STOP_S = 15
"""Three times what a worker may take on a machine that does nothing else."""


class Product:
    """The image's commands on a topic set of their own, each in a container as locked up as it can be."""

    def __init__(self, image: str, bootstrap: str, prefix: str) -> None:
        self.volume = f"state-{uuid.uuid4().hex[:12]}"
        self.container = f"worker-{uuid.uuid4().hex[:12]}"
        self._image = image
        self._options = [
            "--network=host", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges",
            f"--volume={self.volume}:/var/lib/llm-orchestrator-state",
            f"--env=LLM_ORCHESTRATOR_STATE_BOOTSTRAP_SERVERS={bootstrap}",
            f"--env=LLM_ORCHESTRATOR_STATE_TOPIC_PREFIX={prefix}",
        ]  # fmt: skip

    def __call__(self, *words: str, options: tuple[str, ...] = ()) -> str:
        return run("docker", "run", "--rm", *self._options, *options, self._image, *words)

    def start(self, *words: str) -> None:
        run("docker", "run", "--detach", f"--name={self.container}", *self._options, self._image, *words)

    def log(self) -> str:
        return run("sh", "-c", f"docker logs {self.container} 2>&1")

    def end(self) -> None:
        run("docker", "rm", "--force", self.container)
        run("docker", "volume", "rm", "--force", self.volume)


@pytest.fixture
def product(product_image: str, kafka: str, topic_prefix: str) -> Iterator[Product]:
    made = Product(product_image, kafka, topic_prefix)
    yield made
    made.end()


def test_it_is_the_command_and_runs_as_nobody_in_particular(product: Product) -> None:
    assert re.fullmatch(r"llm-orchestrator-state \d+\.\d+\.\d+\n", product("--version"))
    assert (
        product("-c", "import os; print(os.getuid(), os.getgid())", options=("--entrypoint=python",)) == "10001 10001\n"
    )


def test_all_that_is_installed_in_it_is_pinned_and_nothing_can_install_more(product: Product) -> None:
    program = "import importlib.metadata as m; [print(f'{d.name}=={d.version}') for d in m.distributions()]"
    lines = product("-I", "-c", program, options=("--entrypoint=python",)).splitlines()
    installed = {
        re.sub(r"[-_.]+", "-", line).lower() for line in lines if not line.startswith("llm-orchestrator-state")
    }
    pinned = (CHECKOUT / "deploy" / "constraints.txt").read_text().splitlines()
    assert installed <= {re.sub(r"[-_.]+", "-", line) for line in pinned}
    assert len(installed) > 20
    assert "pip" not in "".join(lines)


def test_its_commands_fold_events_into_a_state_volume_and_what_they_leave_agrees(product: Product) -> None:
    product("topics", "create", "--partitions", "2")
    assert json.loads(product("topics", "check", "--json"))["partitions"] == 2
    sample = f"--volume={CHECKOUT / 'tests' / 'data'}:/data:ro"
    delivered = product("publish", "/data/sample.jsonl", "--json", options=(sample,)).splitlines()
    product("worker", "--until-end")
    reports = [json.loads(line) for line in product("verify", "--json", options=("--tmpfs=/tmp",)).splitlines()]
    assert sum(report["events"] for report in reports) == len(delivered)
    assert not any(report["different"] for report in reports)


def test_a_worker_says_that_it_is_healthy_and_ends_at_sigterm_with_exit_code_0(product: Product) -> None:
    product("topics", "create", "--partitions", "2")
    product.start()
    assert becomes_healthy(product.container, PATIENCE_S), product.log()
    run("docker", "stop", f"--time={STOP_S}", product.container)
    assert state_of(product.container)["ExitCode"] == 0, product.log()  # 137 is that of one that had to be killed
