from __future__ import annotations

import uuid
from collections import Counter

import pytest

from llm_orchestrator_state.kafka.partitioner import murmur2, partition_of

KAFKAS_OWN = {
    # org.apache.kafka.common.utils.UtilsTest.testMurmur2
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("key", "expected"), KAFKAS_OWN.items())
def test_the_hash_is_that_of_the_java_client(key: bytes, expected: int) -> None:
    assert murmur2(key) == expected % 2**32


@pytest.mark.parametrize("partitions", [1, 2, 7, 32, 1000])
def test_a_key_goes_to_one_of_the_partitions(partitions: int) -> None:
    keys = [str(uuid.UUID(int=n)).encode() for n in range(200)]
    assert {partition_of(key, partitions) for key in keys} <= set(range(partitions))


def test_a_negative_hash_counts_without_its_sign_bit() -> None:
    assert partition_of(b"21", 5) == (-973932308 & 0x7FFFFFFF) % 5


def test_runs_are_spread_evenly() -> None:
    counts = Counter(partition_of(str(uuid.UUID(int=n << 64 | n)).encode(), 8) for n in range(8000))
    assert all(800 < count < 1200 for count in counts.values())
