"""The command ``llm-orchestrator-state``, also as ``python -m llm_orchestrator_state``."""

from __future__ import annotations

import sys
from typing import NoReturn

from .errors import INTERRUPTED


def main() -> NoReturn:
    try:
        # here, so that Ctrl-C while Python is still importing is no traceback either
        from .cli.main import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        code = INTERRUPTED
    sys.exit(code)


if __name__ == "__main__":
    main()
