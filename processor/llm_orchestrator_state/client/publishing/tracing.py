"""The W3C trace context of the caller, where OpenTelemetry is in use."""

from __future__ import annotations

import sys

from ..transport import Headers


def trace_headers() -> Headers | None:
    """``traceparent`` (and ``tracestate``) of the current span; None where there is none."""
    # not imported for this: a program that has not imported it has no current span
    if "opentelemetry.trace" not in sys.modules:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return [(name, value.encode()) for name, value in carrier.items()] or None
