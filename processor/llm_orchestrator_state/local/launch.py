"""How the local broker is run on this machine: as a JVM of its own, else in a container."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ..errors import MissingProgram
from . import class_data, container
from .jars import kafka_jars
from .java import find_java
from .node import Node


class Launch(NamedTuple):
    """A command that runs the broker in the foreground.

    archive: where the class-data archive goes that the broker may write as it leaves; "" where it does not.
    container: its name; "" where there is none.
    """

    command: list[str]
    archive: str = ""
    container: str = ""


def launch(node: Node, class_data_file: Path) -> Launch:
    """The JVM first: it is ready sooner. class_data_file: which a broker without an archive writes as it leaves.

    Raises MissingProgram with the command that installs what is missing.
    """
    try:
        return _on_this_machine(node, class_data_file)
    except MissingProgram as missing:
        if not container.docker_answers():
            raise MissingProgram(f"{missing}; or install Docker") from missing
    return _in_container(node)


def _on_this_machine(node: Node, class_data_file: Path) -> Launch:
    java = find_java()
    jars = kafka_jars(java)
    archive = class_data.archive(java, jars)
    options = class_data.options(java, archive, written_at_exit=class_data_file)
    return Launch(node.command(java.program, jars, *options), archive=str(archive))


def _in_container(node: Node) -> Launch:
    container.pull()
    name = container.container_name(node.directory)
    container.remove(name)  # one that outlived its client would hold the ports
    return Launch(container.command(node), container=name)
