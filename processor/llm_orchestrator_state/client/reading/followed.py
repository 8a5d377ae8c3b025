"""The tables that a reader is asked about, by partition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...errors import Configuration
from .checkpoints import CheckpointFeed
from .feeds import Listener, StateFeed, TableFeed
from .index import RunIndex
from .outputs import OutputFeed


class Followed:
    """Tables of state partitions, and of checkpoint and outputs partitions where there are any.

    partition_count: of the topic set; tables there may be of only some.
    """

    def __init__(self, partition_count: int) -> None:
        self.partition_count = partition_count
        self.index = RunIndex()
        self.states: dict[int, StateFeed] = {}
        self.checkpoints: dict[int, CheckpointFeed] = {}
        self.outputs: Mapping[int, OutputFeed] = {}
        """Of partitions of which large values were asked for. Replaced as a whole, so it may be read without the lock."""

    def check_followed(self, partition: int) -> None:
        """Raises Configuration: of a partition that is not followed nothing is known, not even that a run is not there."""
        if partition not in self.states:
            raise Configuration(
                f"the run is on partition {partition}, and this reader follows {sorted(self.states)}; ask one that follows it"
            )

    def listen(self, listener: Listener) -> None:
        """Under the reader's lock."""
        for feed in self.states.values():
            feed.listeners.append(listener)

    def forget(self, listener: Listener) -> None:
        """Under the reader's lock."""
        for feed in self.states.values():
            feed.listeners.remove(listener)

    def feeds(self) -> Sequence[TableFeed]:
        return [*self.states.values(), *self.checkpoints.values(), *self.outputs.values()]
