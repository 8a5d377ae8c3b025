"""Simulated orchestrators: real processes that publish what orchestrators of LLM agents publish.

One seed makes one set of events, whatever the machine and the timing:

    workflows (what runs do) -> stories -> families of runs -> seats (an orchestrator and who follows it) -> processes
"""
