"""The state of LLM workflow runs on Kafka.

Public are this package's ``model`` (states, events), ``errors`` and ``testing`` (the whole pipeline in memory); the
command ``llm-orchestrator-state`` does the rest. Every other module is private.
"""
