"""What runs have used, as the demo sums it up: OpenTelemetry's names, and the cost that the simulator reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Usage(NamedTuple):
    """Tokens that models have read and written, and micro-USD."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost: int = 0

    @classmethod
    def of(cls, usage: Mapping[str, int]) -> Usage:
        """Of a state's or a step's usage."""
        return cls(
            usage.get("gen_ai.usage.input_tokens", 0),
            usage.get("gen_ai.usage.output_tokens", 0),
            usage.get("cost_micro_usd", 0),
        )

    @classmethod
    def sum(cls, usages: Iterable[Usage]) -> Usage:
        return cls(*map(sum, zip(*usages, strict=True)))

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens

    def __str__(self) -> str:
        cost = f", ${self.cost / 1e6:,.2f}" if self.cost else ""
        return f"{self.input_tokens:,} in, {self.output_tokens:,} out{cost}"
