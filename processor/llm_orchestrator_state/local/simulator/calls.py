"""The models and tools that simulated workflows call, and what goes wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

from .story import Call, Model, Trouble

LARGE = Model("gpt-4o", 2.5, 10.0, 0.012)
SMALL = Model("gpt-4o-mini", 0.15, 0.6, 0.006)
REASONER = Model("mistral-large-2", 3.0, 15.0, 0.014)

FIRST_TOKEN_S = (0.3, 0.9)

RATE_LIMIT = Trouble("429: rate limit reached for {model} on tokens per min (limit 450000)", "RateLimitError")
OVERLOADED = Trouble("529: {model} is overloaded, try again later", "OverloadedError")
NO_ANSWER = Trouble("no answer within 20 s", "timed_out", seconds=20)
BAD_JSON = Trouble("output is no valid JSON: expected ',' at line 1 column 412", "OutputValidationError", billed=True)
TOO_LONG = Trouble("the prompt has 131208 tokens, {model} takes at most 128000", "ContextLengthExceeded")
TOOL_TIMEOUT = Trouble("the tool did not answer within 10 s", "ToolTimeout", seconds=10)
TOOL_503 = Trouble("503 Service Unavailable from upstream", "ToolError")
NO_CONNECTION = Trouble("connection reset by peer", "APIConnectionError")

OF_MODELS = (RATE_LIMIT, RATE_LIMIT, OVERLOADED, NO_ANSWER, BAD_JSON)
OF_TOOLS = (TOOL_TIMEOUT, TOOL_503, NO_CONNECTION)

Outputs = Callable[[Random], dict[str, Any]]


def model_call(
    step: str, model: Model, prompt: str, tokens_in: tuple[int, int], tokens_out: tuple[int, int], outputs: Outputs, *,
    flaky: float = 0.03, troubles: tuple[Trouble, ...] = OF_MODELS,
) -> Call:  # fmt: skip
    """tokens_in, tokens_out: least and most."""
    return Call(
        step, FIRST_TOKEN_S, outputs, model=model, prompt=prompt, tokens=(tokens_in, tokens_out), troubles=troubles,
        flaky=flaky,
    )  # fmt: skip


def tool_call(
    step: str, least_s: float, most_s: float, outputs: Outputs, *, inputs: Outputs | None = None, flaky: float = 0.02
) -> Call:
    """least_s, most_s: how long it takes."""
    return Call(step, (least_s, most_s), outputs, inputs=inputs, troubles=OF_TOOLS, flaky=flaky)
