"""How the local broker is run on this machine: as a JVM of its own, else in a container."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from ..errors import MissingProgram
from . import class_data, container, jars
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

    Raises MissingProgram with the commands that install what is missing.
    """
    try:
        return _on_this_machine(node, class_data_file)
    except MissingProgram as missing:
        if way_out := container.what_docker_needs():
            raise MissingProgram(f"{missing}; {way_out}") from missing
    return _in_container(node)


def lacks_only_java() -> bool:
    """Whether a Java runtime is all that is missing to run a JVM here."""
    try:
        find_java()
    except MissingProgram:
        return jars.can_be_had()
    return False


def _on_this_machine(node: Node, class_data_file: Path) -> Launch:
    try:
        java = find_java()
    except MissingProgram as missing:
        # told together: who has installed the one shall not be sent for the other
        raise missing if jars.can_be_had() else MissingProgram(f"{missing}; {jars.NO_MAVEN}") from None
    found = jars.kafka_jars(java)
    archive = class_data.archive(java, found)
    options = class_data.options(java, archive, written_at_exit=class_data_file)
    return Launch(node.command(java.program, found, *options), archive=str(archive))


def _in_container(node: Node) -> Launch:
    container.pull()
    name = container.container_name(node.directory)
    container.remove(name)  # one that outlived its client would hold the ports
    return Launch(container.command(node), container=name)
