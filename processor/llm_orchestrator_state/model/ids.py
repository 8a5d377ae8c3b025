"""UUID texts and what is derived from them."""

from __future__ import annotations

import hashlib
import re

is_uuid = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}", re.ASCII).fullmatch
"""Matches UUID text: hyphenated, either case (RFC 9562, section 4)."""


def short_id(event_id: str) -> bytes:
    """8 bytes that stand for an event id in the window: the XOR of its halves.

    Not one half: the low half of a version-1 UUID is the same for every id that one process makes.
    """
    number = int(event_id.replace("-", ""), 16)
    return ((number >> 64) ^ (number & 0xFFFF_FFFF_FFFF_FFFF)).to_bytes(8, "big")


def remembers(window: bytes, short: bytes) -> bool:
    """Whether the short id is one of the window's, which are 8 bytes each."""
    at = window.find(short)
    while at >= 0:
        if at % 8 == 0:
            return True
        at = window.find(short, at + 1)
    return False


def checkpoint_id(run_id: str, event_id: str) -> str:
    """The id of a checkpoint for which none was asked: UUIDv5 of the event id in the run's name space (RFC 9562, 5.5).

    As uuid.uuid5() makes it, which took two fifths of a checkpoint's time.
    """
    name = bytes.fromhex(run_id.replace("-", "")) + event_id.encode()
    text = hashlib.sha1(name, usedforsecurity=False).hexdigest()
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:32]}"


_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
