"""Kafka's default partitioner for keyed records: murmur2, as in the Java client and librdkafka's murmur2_random."""

from __future__ import annotations

import struct

_M = 0x5BD1E995
_WORD = 0xFFFFFFFF


def murmur2(key: bytes) -> int:
    """The 32-bit hash of org.apache.kafka.common.utils.Utils.murmur2, unsigned."""
    size = len(key)
    h = 0x9747B28C ^ size
    whole = size & ~3
    for k in struct.unpack_from(f"<{whole // 4}I", key):
        k = k * _M & _WORD  # noqa: PLW2901 - as the algorithm is written everywhere
        h = (h * _M & _WORD) ^ ((k ^ k >> 24) * _M & _WORD)
    if size > whole:
        h = (h ^ int.from_bytes(key[whole:], "little")) * _M & _WORD
    h = (h ^ h >> 13) * _M & _WORD
    return h ^ h >> 15


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of a record with this key in a topic of so many partitions."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
