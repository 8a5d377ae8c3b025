"""Topic settings, as a table."""

from __future__ import annotations

from typing import Literal, NamedTuple

from .properties import MAX_EVENT_BYTES, MAX_OUTPUT_BYTES

DAY_MS = 24 * 60 * 60 * 1000


class Setting(NamedTuple):
    """value: as the topic is made. rule: how what is found must compare with it."""

    name: str
    value: str
    rule: Literal["equal", "at least", "free"]

    def allows(self, found: str | None) -> bool:
        if self.rule == "free":
            return True
        if found is None or self.rule == "equal":
            return found == self.value
        return int(found) >= int(self.value)


_DURABLE = Setting("unclean.leader.election.enable", "false", "equal")

# the broker's clock, for all records: by their writers' clocks, one that is more than an hour ahead would be refused
# everything (message.timestamp.after.max.ms, Kafka 4), and old or future times would move retention
_BROKERS_CLOCK = Setting("message.timestamp.type", "LogAppendTime", "free")

_LOG = (
    Setting("cleanup.policy", "delete", "equal"),
    Setting("retention.bytes", "-1", "free"),
    _DURABLE,
    _BROKERS_CLOCK,
)
_COMPACTED = (
    Setting("cleanup.policy", "compact", "equal"),
    # a store that was level with the topic within half of this time cannot have missed a tombstone
    Setting("delete.retention.ms", str(DAY_MS), "at least"),
    # the active segment is never compacted: a cold restore reads at most this much of superseded states
    Setting("segment.bytes", str(128 * 1024 * 1024), "free"),
    # or a run that is deleted from a quiet topic stays there until as much again is written (KIP-354)
    Setting("max.compaction.lag.ms", str(7 * DAY_MS), "free"),
    _DURABLE,
    _BROKERS_CLOCK,
)


def _largest(size: int) -> Setting:
    return Setting("max.message.bytes", str(size), "at least")


SETTINGS: dict[str, tuple[Setting, ...]] = {
    # rebuild and verify need the log from its start: who trims it does it knowingly
    "events": (*_LOG, Setting("retention.ms", "-1", "free"), _largest(MAX_EVENT_BYTES)),
    # a state of the largest size, with its key, headers and the batch around it
    "state": (*_COMPACTED, _largest(MAX_EVENT_BYTES)),
    "checkpoints": (*_COMPACTED, _largest(MAX_OUTPUT_BYTES)),
    "outputs": (*_COMPACTED, _largest(MAX_OUTPUT_BYTES)),
    # read by people and by publishers that wait, and its bytes are in the event log as well; of the size, less than this
    # and a legal event's rejection would abort its transaction for ever
    "rejections": (*_LOG, Setting("retention.ms", str(90 * DAY_MS), "free"), _largest(MAX_OUTPUT_BYTES)),
    "meta": _COMPACTED,
}
