"""Runs that are in the store already: written to the state topic as a restore finds them, not folded one by one."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from llm_orchestrator_state.model.fold import fold
from llm_orchestrator_state.wire.codec import Codec
from tests.benchmarks.workload import created_runs

CONTEXT_BYTES = 300
"""Makes states of some 490 bytes."""


class StoredRuns(Sequence[str]):
    """Ids of runs that have only just begun, the same ones every time, and their states."""

    def __init__(self, codec: Codec, number: int) -> None:
        (created,) = created_runs(1, CONTEXT_BYTES)
        state = fold(None, created, "off")[1]
        assert state is not None
        self._number = number
        self._template = codec.encode_state(state)
        self._id = state["id"].encode()
        self._question = state["context"].split('"')[3].encode()

    def __len__(self) -> int:
        return self._number

    def __getitem__(self, index: Any) -> str:
        if index >= self._number:
            raise IndexError(index)
        # an odd factor gives each index another id, far from its neighbours'
        return str(UUID(int=(index + 1) * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128, version=4))

    def records(self) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values of the state topic, each with a context of its own."""
        random_bits = random.Random(5)
        digits = len(self._question)
        for index in range(self._number):
            key = self[index].encode()
            question = b"%0*x" % (digits, random_bits.getrandbits(4 * digits))
            yield key, self._template.replace(self._id, key).replace(self._question, question)
