"""The group coordinator: classic protocol, cooperative-sticky assignment, static members, committed offsets."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from confluent_kafka import KafkaError

SESSION_S = 10.0
REBALANCE_S = 300.0
"""max.poll.interval.ms: how long a rebalance waits for a member that does not join."""


class GroupMetadata(NamedTuple):
    """What consumer_group_metadata() holds; opaque in confluent-kafka, so the engine must not look inside."""

    generation: int
    member_id: str
    instance_id: str | None


class Committed(NamedTuple):
    offset: int
    metadata: str


class GroupError(Exception):
    """An error code in a coordinator's response."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Member:
    __slots__ = ("assigned", "instance_id", "joined", "owned", "seen")

    def __init__(self, instance_id: str, now: float) -> None:
        self.instance_id = instance_id
        self.seen = now
        self.joined = False
        self.owned: list[int] = []
        """Partitions that the member said it owns when it last joined."""
        self.assigned: list[int] = []


class GroupCoordinator:
    def __init__(self, rng: Random, partitions: int) -> None:
        self.generation = 0
        self.rebalancing = False
        self.members: dict[str, Member] = {}
        self.static: dict[str, str] = {}
        self.offsets: dict[int, Committed] = {}
        self.pending: dict[int, int] = {}
        """Partition -> transactions that hold an offset for it and have not ended."""
        self._partitions = partitions
        self._rng = rng
        self._started = 0.0
        self._member_ids = 0

    # ---- membership

    def join(self, instance_id: str, member_id: str, owned: list[int], now: float) -> str:
        """JoinGroup; returns the member id. The answer is there when the group has stopped rebalancing."""
        known = self.static.get(instance_id)
        if member_id:
            if known is None or known not in self.members:
                raise GroupError(KafkaError.UNKNOWN_MEMBER_ID)
            if known != member_id:
                raise GroupError(KafkaError.FENCED_INSTANCE_ID)
            member = self.members[member_id]
            self._start(now)
        elif known is not None:
            # A static member that came back: it takes the old one's place, and its partitions, without a rebalance.
            member = self.members.pop(known)
            member_id = self._new_id(instance_id, member)
        else:
            member = Member(instance_id, now)
            member_id = self._new_id(instance_id, member)
            self._start(now)
        member.seen = now
        member.owned = owned
        member.joined = True
        self._complete()
        return member_id

    def _new_id(self, instance_id: str, member: Member) -> str:
        self._member_ids += 1
        member_id = f"{instance_id}-{self._member_ids}"
        self.members[member_id] = member
        self.static[instance_id] = member_id
        return member_id

    def heartbeat(self, instance_id: str, member_id: str, now: float) -> None:
        """Raises GroupError: REBALANCE_IN_PROGRESS, UNKNOWN_MEMBER_ID or FENCED_INSTANCE_ID."""
        member = self._validate(instance_id, member_id)
        member.seen = now
        if self.rebalancing and not member.joined:
            raise GroupError(KafkaError.REBALANCE_IN_PROGRESS)

    def _validate(self, instance_id: str | None, member_id: str) -> Member:
        if instance_id is not None:
            known = self.static.get(instance_id)
            if known is None:
                raise GroupError(KafkaError.UNKNOWN_MEMBER_ID)
            if known != member_id:
                raise GroupError(KafkaError.FENCED_INSTANCE_ID)
        member = self.members.get(member_id)
        if member is None:
            raise GroupError(KafkaError.UNKNOWN_MEMBER_ID)
        return member

    def leave(self, member_id: str, now: float) -> None:
        member = self.members.pop(member_id, None)
        if member is None:
            return
        if self.static.get(member.instance_id) == member_id:
            del self.static[member.instance_id]
        self._start(now)
        self._complete()

    def expire(self, now: float) -> None:
        """Throw out members whose session, or whose time to join a rebalance, is over."""
        late = self.rebalancing and now - self._started > REBALANCE_S
        for member_id, member in list(self.members.items()):
            if now - member.seen > SESSION_S or (late and not member.joined):
                self.leave(member_id, now)

    def adopt_orphans(self, now: float) -> None:
        """A rebalance, such as any later change of the group brings, where a partition is assigned to nobody.

        Tried on Kafka 4.4: a static member that crashes after a round has taken a partition from it, and before it
        was told, comes back to the rest without a rebalance, and that partition stays without an owner.
        """
        assigned = sum(len(member.assigned) for member in self.members.values())
        if self.members and not self.rebalancing and assigned < self._partitions:
            self._start(now)

    # ---- assignment

    def _start(self, now: float) -> None:
        if not self.rebalancing:
            self.rebalancing = True
            self._started = now
            for member in self.members.values():
                member.joined = False

    def _complete(self) -> None:
        if not self.rebalancing or not all(m.joined for m in self.members.values()):
            return
        self.rebalancing = False
        self.generation += 1
        if self.members:
            self._assign()

    def _assign(self) -> None:
        """Cooperative: a partition that must move is first taken from its owner, and given away in the next round."""
        members = [self.members[m] for m in sorted(self.members)]
        turn = self._rng.randrange(len(members))
        members = members[turn:] + members[:turn]
        owner: dict[int, Member] = {}
        for member in members:
            for partition in member.owned:
                owner.setdefault(partition, member)
        least, more = divmod(self._partitions, len(members))
        quota = {id(m): least + (i < more) for i, m in enumerate(members)}
        for member in members:
            kept = [p for p in member.owned if owner[p] is member][: quota[id(member)]]
            member.assigned = kept
        free = [p for p in range(self._partitions) if not any(p in m.assigned for m in members)]
        for member in members:
            while free and len(member.assigned) < quota[id(member)]:
                partition = free.pop(0)
                if partition in owner:
                    quota[id(member)] -= 1
                else:
                    member.assigned = [*member.assigned, partition]

    # ---- offsets

    def validate_commit(self, metadata: GroupMetadata) -> None:
        """As ClassicGroup.validateOffsetCommit for a transaction.

        Not fenced: a group without members (while the generation is -1), and metadata that names nobody.
        """
        generation, member_id, instance_id = metadata
        if generation < 0 and not self.members:
            return
        if generation >= 0 or member_id or instance_id is not None:
            self._validate(instance_id, member_id)
            if generation != self.generation:
                raise GroupError(KafkaError.ILLEGAL_GENERATION)

    def live_instances(self) -> list[str]:
        return [m.instance_id for m in self.members.values()]
