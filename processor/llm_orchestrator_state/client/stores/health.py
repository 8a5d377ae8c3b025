"""What a health check tells."""

from __future__ import annotations

from typing import NamedTuple


class Health(NamedTuple):
    """All of it is well: what is not, is raised.

    checked: what was looked at, a phrase each. behind: committed records that this store has not read yet.
    """

    checked: tuple[str, ...]
    behind: int
