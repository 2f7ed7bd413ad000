"""The line of a window that says how its service did: rate, errors, latency, which carry no verdict."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from driftline.deploy.cli.windows_line import Line

_LONGEST = "over 70 min"
_SECOND_MS = 1000


def health_text(lines: Iterable[Line]) -> str:
    """Write the figures of kind `health` of one window; empty when there are none, and what is undefined is left out.

    Example: `2.31 events/s, errors 1.2% (timeout 0.8%), latency p50 12 ms, p95 40 ms, p99 1.2 s`.
    """
    return figures_text({line.metric: line.value for line in lines if line.kind == "health"})


def figures_text(found: Mapping[str, float | None]) -> str:
    """Write health figures by metric; what is undefined is left out."""
    rate = found.get("rate")
    parts = [] if rate is None else [f"{rate:.3g} events/s"]
    if (errors := found.get("errors")) is not None:
        parts.append(f"errors {_percent(errors)}{_statuses(found)}")
    quantiles = [(name, found.get(f"latency_{name}")) for name in ("p50", "p95", "p99")]
    waits = [f"{name} {_span(value)}" for name, value in quantiles if value is not None]
    if waits:
        parts.append("latency " + ", ".join(waits))
    return ", ".join(parts)


def _statuses(found: Mapping[str, float | None]) -> str:
    """The statuses that the errors are made of, the most frequent first."""
    shares = {
        metric.removeprefix("errors_"): value
        for metric, value in found.items()
        if metric.startswith("errors_") and value
    }
    named = sorted(shares.items(), key=lambda item: -item[1])
    return f" ({', '.join(f'{name} {_percent(share)}' for name, share in named)})" if named else ""


def _percent(share: float) -> str:
    return f"{100 * share:.3g}%"


def _span(wait_ms: float) -> str:
    if math.isinf(wait_ms):
        return _LONGEST
    return f"{wait_ms:.3g} ms" if wait_ms < _SECOND_MS else f"{wait_ms / _SECOND_MS:.3g} s"
