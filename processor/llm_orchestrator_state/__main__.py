"""``python -m llm_orchestrator_state`` is the command ``llm-orchestrator-state``."""

from __future__ import annotations

from llm_orchestrator_state.cli.main import main

if __name__ == "__main__":
    main()
