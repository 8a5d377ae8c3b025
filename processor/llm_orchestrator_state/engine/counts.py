"""Events by verdict."""

from __future__ import annotations

import msgspec

from ..model.verdicts import Code


class Counts(msgspec.Struct):
    """rejected: by code."""

    applied: int = 0
    duplicate: int = 0
    rejected: dict[Code, int] = msgspec.field(default_factory=dict)

    @property
    def all_rejected(self) -> int:
        return sum(self.rejected.values())

    def copy(self) -> Counts:
        return Counts(self.applied, self.duplicate, dict(self.rejected))

    def reject(self, code: Code, number: int = 1) -> None:
        self.rejected[code] = self.rejected.get(code, 0) + number

    def add(self, other: Counts) -> None:
        self.applied += other.applied
        self.duplicate += other.duplicate
        for code, number in other.rejected.items():
            self.reject(code, number)
