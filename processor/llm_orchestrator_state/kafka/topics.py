"""The topics of one topic set: their names and settings, making them, and checking what is there."""

from __future__ import annotations

import re

import msgspec
from confluent_kafka.cimpl import NewTopic

from ..errors import Configuration, TopicMismatch
from ..settings import KAFKA_NAME, LONGEST_PREFIX
from .admin import Admin, Topic
from .format import CheckpointPolicy, Format, read_format, write_format
from .problems import create_command, no_topic_set, partition_problems, replica_problems, setting_problems
from .registry import ConfluentRegistry
from .subjects import make_subjects, subject_problems
from .topic_settings import SETTINGS

DEFAULT_PARTITIONS = 4
"""Enough for four workers; a commit over 4 partitions still takes milliseconds (59 ms over 32, measured)."""

DEFAULT_REPLICATION = 3


class TopicSet(msgspec.Struct, frozen=True):
    """Names of the topics under one prefix. Raises Configuration for one that Kafka does not allow."""

    prefix: str

    def __post_init__(self) -> None:
        if len(self.prefix) > LONGEST_PREFIX or not re.match(KAFKA_NAME, self.prefix):
            raise Configuration(
                f"topic prefix {self.prefix!r} cannot be used; needed: 1 to {LONGEST_PREFIX} of a-z, A-Z, 0-9, '.', '_', '-'"
            )

    @property
    def events(self) -> str:
        return f"{self.prefix}.events"

    @property
    def state(self) -> str:
        return f"{self.prefix}.state"

    @property
    def checkpoints(self) -> str:
        return f"{self.prefix}.checkpoints"

    @property
    def outputs(self) -> str:
        return f"{self.prefix}.outputs"

    @property
    def rejections(self) -> str:
        return f"{self.prefix}.rejections"

    @property
    def meta(self) -> str:
        return f"{self.prefix}.meta"

    @property
    def transactional_ids(self) -> str:
        """What all the workers' transactional ids begin with."""
        return f"{self.prefix}."

    def processed(self) -> tuple[str, ...]:
        """Those that a worker reads or writes as it goes."""
        return self.events, self.state, self.checkpoints, self.outputs, self.rejections

    def names(self) -> dict[str, str]:
        """From role (``events`` …) to topic name."""
        return {role: f"{self.prefix}.{role}" for role in SETTINGS}


def create(
    admin: Admin,
    topics: TopicSet,
    *,
    partitions: int | None = None,
    replication: int | None = None,
    checkpoints: CheckpointPolicy | None = None,
    rebuilt_from: str | None = None,
    registry: ConfluentRegistry | None = None,
) -> Format:
    """Make the topics that are missing, record the format once, and check the whole.

    What is None is taken from the topics that are there, else from the defaults: 4 partitions, 3 replicas (fewer
    where there are fewer brokers), a checkpoint after each completed step.

    rebuilt_from: prefix of the topic set whose states will be published here; recorded also where the topics are there
    already, so they must be empty. registry: gets the schemas, and its subjects their compatibility levels.

    Raises TopicMismatch for what cannot be made to fit, Configuration, Connection.
    """
    if partitions is not None and partitions < 1:
        raise Configuration(f"partitions is {partitions}; needed: at least 1")
    found = admin.topics(list(topics.names().values()))
    recorded = read_format(admin, topics.meta) if found[topics.meta] else None
    count = _partition_count(found[topics.events], recorded) or partitions or DEFAULT_PARTITIONS
    _refuse_change(topics, "partitions", count, partitions)
    if recorded:
        _refuse_change(topics, "checkpoints", recorded.checkpoints, checkpoints)
    replicas = replication or min(DEFAULT_REPLICATION, admin.brokers)
    admin.create_topics(
        [_new_topic(role, name, count, replicas) for role, name in topics.names().items() if found[name] is None]
    )
    made = recorded or Format.current(count, checkpoints or "step")
    origin = rebuilt_from or made.rebuilt_from
    if recorded is None or origin != recorded.rebuilt_from:
        write_format(admin, topics.meta, msgspec.structs.replace(made, rebuilt_from=origin))
    if registry:
        make_subjects(registry)
    return check(admin, topics, registry)


def check(admin: Admin, topics: TopicSet, registry: ConfluentRegistry | None = None) -> Format:
    """The recorded format, when everything is as it must be: with a registry, its subjects too.

    Raises TopicMismatch with every problem, one line each: found, needed, and the command that repairs it, or in one
    line when there is no such topic set; Connection.
    """
    names = topics.names()
    found = admin.topics(list(names.values()))
    if not any(found.values()):
        raise TopicMismatch(no_topic_set(admin, topics.prefix))
    recorded = read_format(admin, topics.meta) if found[topics.meta] else None
    count = _partition_count(found[topics.events], recorded)
    settings = admin.topic_settings([name for name, topic in found.items() if topic])
    problems: list[str] = []
    for role, name in names.items():
        topic = found[name]
        if topic is None:
            problems.append(f"{name}: missing; repair: {create_command(topics.prefix)}")
            continue
        problems += partition_problems(name, topic, 1 if role == "meta" else count)
        problems += setting_problems(admin, name, SETTINGS[role], settings[name])
        problems += replica_problems(admin, name, topic, settings[name])
    if recorded:
        problems += recorded.mismatches()
    elif found[topics.meta]:
        problems.append(f"{topics.meta}: has no record of the format; repair: {create_command(topics.prefix)}")
    if registry:
        problems += subject_problems(registry)
    if problems or recorded is None:
        raise TopicMismatch("\n".join([f"the topics of {topics.prefix!r} are not as they must be:", *problems]))
    return recorded


def _partition_count(events: Topic | None, recorded: Format | None) -> int | None:
    if recorded:
        return recorded.partitions
    return events.partitions if events else None


def _refuse_change(topics: TopicSet, name: str, fixed: object, asked: object) -> None:
    if asked is not None and asked != fixed:
        raise TopicMismatch(
            f"the topics of {topics.prefix!r} have {name}={fixed}, asked for {asked}: fixed for the life of a topic set; "
            "leave it out, or make a new topic set under another prefix"
        )


def _new_topic(role: str, name: str, partitions: int, replicas: int) -> NewTopic:
    config = {setting.name: setting.value for setting in SETTINGS[role]}
    # one replica may be down and writing goes on; with two replicas, one is what that leaves
    config["min.insync.replicas"] = str(max(1, min(2, replicas - 1)))
    return NewTopic(name, 1 if role == "meta" else partitions, replicas, config=config)
