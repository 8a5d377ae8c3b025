"""What librdkafka's background thread does for a group member, apart from what the application has been told of it."""

from __future__ import annotations

from confluent_kafka import KafkaError

from tests.simulation.group import GroupCoordinator, GroupError, GroupMetadata

HEARTBEAT_S = 3.0
MAX_POLL_S = 300.0
"""max.poll.interval.ms"""

OUT = 0
JOIN = 1
WAIT = 2
CALLBACK = 3
"""An assignment change waits for the application to poll."""
STEADY = 4

ASSIGN = "assign"
REVOKE = "revoke"
LOST = "lost"


class Membership:
    """Runs whenever its process is alive and not paused; the application sees `events` only when it polls."""

    def __init__(self, group: GroupCoordinator, instance_id: str) -> None:
        self._group = group
        self._instance_id = instance_id
        self._phase = OUT
        self._beat = 0.0
        self.polled = 0.0
        self.generation = -1
        self.member_id = ""
        self.owned: list[int] = []
        self.events: list[tuple[str, list[int]]] = []
        """What the application is to be told; LOST is of everything that it owns by then."""
        self.leaving = False
        self.fenced = False

    def metadata(self) -> GroupMetadata:
        return GroupMetadata(self.generation, self.member_id, self._instance_id)

    def subscribe(self, now: float) -> None:
        self._phase = JOIN
        self.polled = now

    def run(self, now: float) -> None:
        phase = self._phase
        if phase == OUT or self._overdue(now) or (phase >= CALLBACK and now < self._beat):
            return
        try:
            if phase == JOIN:
                self.member_id = self._group.join(self._instance_id, self.member_id, self.owned, now)
                self._phase = WAIT
                self._sync(now)
            elif phase == WAIT:
                self._heartbeat(now)
                self._sync(now)
            else:
                self._heartbeat(now)
        except GroupError as error:
            self._refused(error.code, now)

    def _overdue(self, now: float) -> bool:
        """max.poll.interval.ms is exceeded: a static member sends no heartbeats and does not leave (KIP-345)."""
        if now - self.polled <= MAX_POLL_S:
            return False
        if self.member_id:
            self.member_id = ""
            self.generation = -1
            self.events.clear()
            self._tell(LOST, [])
        return True

    def _heartbeat(self, now: float) -> None:
        self._group.heartbeat(self._instance_id, self.member_id, now)
        self._beat = now + HEARTBEAT_S

    def _sync(self, now: float) -> None:
        """SyncGroup, when the join is answered: from here on the generation is the new one, told or not."""
        group = self._group
        member = group.members.get(self.member_id)
        if member is None:
            raise GroupError(KafkaError.UNKNOWN_MEMBER_ID)
        if group.rebalancing:
            return
        self.generation = group.generation
        self._beat = now + HEARTBEAT_S
        revoked = [p for p in self.owned if p not in member.assigned]
        added = [p for p in member.assigned if p not in self.owned]
        # Nothing new is told too: as an assignment of nothing.
        self._tell(REVOKE, revoked) if revoked else self._tell(ASSIGN, added)

    def _tell(self, kind: str, partitions: list[int]) -> None:
        self._phase = CALLBACK
        self.events.append((kind, partitions))

    def _refused(self, code: int, now: float) -> None:
        if code == KafkaError.REBALANCE_IN_PROGRESS:
            self._beat = now + HEARTBEAT_S
            if self._phase in (WAIT, STEADY):
                self._phase = JOIN
                self.run(now)
        elif code == KafkaError.FENCED_INSTANCE_ID:
            self._phase = OUT
            self.fenced = True
        else:
            self.member_id = ""
            self.generation = -1
            if self._phase in (JOIN, WAIT) and not self.owned:
                self._phase = JOIN
            else:
                self.events.clear()
                self._tell(LOST, [])

    def handled(self, kind: str, partitions: list[int], now: float) -> None:
        """The application's callback has returned; meanwhile the member may have been thrown out or fenced."""
        if kind == ASSIGN:
            self.owned = self.owned + partitions
        else:
            self.owned = [p for p in self.owned if p not in partitions]
        if self._phase != CALLBACK or self.events:
            return
        if kind == ASSIGN:
            self._phase = STEADY
        elif self.leaving:
            self.leave(now)
        else:
            # Cooperative: whoever gave partitions up joins again, so that others can have them.
            self._phase = JOIN
            self.run(now)

    def unsubscribe(self, now: float) -> None:
        self.leaving = True
        self.events.clear()
        if self.owned:
            self._tell(REVOKE, list(self.owned))
        else:
            self.leave(now)

    def leave(self, now: float) -> None:
        if self.member_id:
            self._group.leave(self.member_id, now)
        self.stop()

    def stop(self) -> None:
        """No more heartbeats; the coordinator is not told."""
        self._phase = OUT
        self.member_id = ""
        self.generation = -1
        self.owned = []
