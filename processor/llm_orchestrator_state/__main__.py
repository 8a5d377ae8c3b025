"""The command ``llm-orchestrator-state``, also as ``python -m llm_orchestrator_state``."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from .errors import INTERRUPTED

OWNER_ONLY = 0o077
"""Bits that no file has which this program makes: states are other people's conversations."""


def main() -> NoReturn:
    os.umask(OWNER_ONLY)
    try:
        # here, so that Ctrl-C while Python is still importing is no traceback either
        from .cli.main import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Exception:  # noqa: BLE001 - whatever it is, it may quote foreign text
        code = _told()
    sys.exit(code)


def _told() -> int:
    """A traceback as Python prints one, without what could drive a terminal; Python's own exit code."""
    import traceback

    from .printable import escaped

    sys.stderr.writelines(f"{escaped(line)}\n" for line in traceback.format_exc().splitlines())
    return 1


if __name__ == "__main__":
    main()
