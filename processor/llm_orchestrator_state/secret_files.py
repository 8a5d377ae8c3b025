"""Properties whose value is in a file of its own, as container platforms hand out passwords: ``sasl.password=@/run/…``.

Only an absolute path is one, so that a password may begin with @.
"""

from __future__ import annotations

import re
from pathlib import Path

from .errors import Configuration

_LITERAL = re.compile(r"@+/")


def secret_value(setting: str, key: str, text: str) -> str:
    """What the property is, without the end of the file's last line. ``@@/`` stands for a value that begins with @/.

    Raises Configuration for a file that cannot be read, is empty or no text. It does not name the file: somebody may have
    meant a password.
    """
    if not text.startswith("@/"):
        return text[1:] if _LITERAL.match(text) else text
    try:
        value = Path(text[1:]).read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise Configuration(
            f"{setting}: the file that {key} names behind @ cannot be read ({why}); correct its path, or write @@/ for a "
            "value that begins with @/"
        ) from None
    if not value:
        raise Configuration(f"{setting}: the file that {key} names behind @ is empty; expected the value")
    return value


def literally(value: str) -> str:
    """The value as a text which secret_value() takes for it."""
    return f"@{value}" if _LITERAL.match(value) else value
