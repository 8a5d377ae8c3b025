from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
SCHEMAS = {file.relative_to(CHECKOUT).as_posix() for file in (CHECKOUT / "schemas").rglob("*.avsc")}

FIND_DATA = """
import llm_orchestrator_state
from llm_orchestrator_state.local.jars import kafka_version
from llm_orchestrator_state.wire.schemas import MESSAGES, current, history
print(llm_orchestrator_state.__file__)
print(kafka_version(), *(len(history(name)) for name in MESSAGES), *(len(current(name)["fields"]) for name in MESSAGES))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the source distribution, as an index would get it."""
    directory = tmp_path_factory.mktemp("dist")
    build(CHECKOUT, "sdist", directory)
    (archive,) = directory.glob("*.tar.gz")
    subprocess.run(["tar", "-xzf", archive, "-C", directory], check=True)
    build(directory / archive.name.removesuffix(".tar.gz"), "wheel", directory)
    (wheel,) = directory.glob("*.whl")
    return wheel


def build(source: Path, target: str, directory: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(directory)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)


def find_data(path: Path) -> list[str]:
    ran = subprocess.run(
        [sys.executable, "-c", FIND_DATA], env={"PYTHONPATH": str(path)}, capture_output=True, text=True, check=True
    )
    return ran.stdout.splitlines()


def test_the_wheel_carries_all_that_is_read_at_run_time(wheel: Path) -> None:
    needed = SCHEMAS | {"local/pom.xml", "py.typed"}
    assert {f"llm_orchestrator_state/{file}" for file in needed} <= set(zipfile.ZipFile(wheel).namelist())


def test_an_installed_package_and_an_editable_one_find_the_same_data(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    installed = find_data(tmp_path)
    editable = find_data(CHECKOUT / "processor")
    assert Path(installed[0]).is_relative_to(tmp_path)
    assert Path(editable[0]).is_relative_to(CHECKOUT / "processor")
    assert installed[1] == editable[1]


def test_the_command_line_is_the_module_too(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (entry_points,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
        text = archive.read(entry_points).decode()
    assert "llm-orchestrator-state = llm_orchestrator_state.__main__:main" in text
    ran = subprocess.run(
        [sys.executable, "-m", "llm_orchestrator_state", "--help"], capture_output=True, text=True, check=True
    )
    assert "broker" in ran.stdout
