"""The line of a window that says how the model did where the truth is known, which carries no verdict yet."""

from __future__ import annotations

from collections.abc import Iterable

from driftline.deploy.cli.windows_line import Line

_FIRST = ("accuracy", "auc", "f1", "macro_f1", "log_loss", "rmse", "mae", "bias")


def performance_text(lines: Iterable[Line]) -> str:
    """Write the figures of kind `performance` of one window; empty when there are none.

    Example: `accuracy 0.78 [0.75, 0.81], auc 0.672 [0.671, 0.673 bounds], labels 99.6%, provisional`.
    """
    mine = [line for line in lines if line.kind == "performance" and not (line.feature or line.segment)]
    if not mine:
        return ""
    found = {line.metric: line for line in mine}
    parts = [_one(found[metric]) for metric in _FIRST if metric in found and found[metric].value is not None]
    coverage = mine[0].coverage
    if coverage is not None:
        parts.append(f"labels {100 * coverage:.3g}%")
    if mine[0].provisional:
        parts.append("provisional")
    return ", ".join(parts)


def _one(line: Line) -> str:
    text = f"{line.metric} {line.value:.3g}"
    if line.low is None or line.high is None:
        return text
    bounds = " bounds" if line.interval == "bounds" else ""
    return f"{text} [{line.low:.3g}, {line.high:.3g}{bounds}]"
