"""Text of others, made safe to show."""

from __future__ import annotations

import json
import re

UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    r"\U000e0000-\U000e0fff]"
)
"""Control characters, line separators, and the invisible ones that reorder or hide text."""

_URL = re.compile(r",(?=\s*\w+://)")
_USERINFO = re.compile(r"^(\s*\w[\w+.-]*://)?.*@", re.DOTALL)


def escaped(text: str) -> str:
    """The text with what could drive or deceive a terminal written as escapes: run ids and errors are foreign text."""
    return UNPRINTABLE.sub(lambda found: _escape(found[0]), text)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()


def escaped_json(text: str) -> str:
    """JSON with the same characters written as JSON writes them: it leaves those from 127 on as they are."""
    return UNPRINTABLE.sub(lambda found: json.dumps(found[0])[1:-1], text)


def without_userinfo(urls: str) -> str:
    """One URL, or several with commas, without user and password: with everything up to the last @, as both may hold any."""
    return ",".join(_USERINFO.sub(lambda found: found[1] or "", url) for url in _URL.split(urls))
