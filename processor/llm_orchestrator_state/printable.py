"""Text of others, made safe to show."""

from __future__ import annotations

import re

UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")
"""Control characters, line separators, and the invisible ones that reorder or hide text."""


def escaped(text: str) -> str:
    """The text with what could drive or deceive a terminal written as escapes: run ids and errors are foreign text."""
    return UNPRINTABLE.sub(lambda found: _escape(found[0]), text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()
