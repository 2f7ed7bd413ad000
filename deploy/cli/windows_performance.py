"""The lines of a window that say how the model did where the truth is known, and how it is expected to do."""

from __future__ import annotations

from collections.abc import Iterable

from driftline.deploy.cli.windows_exact import EXACT
from driftline.deploy.cli.windows_line import Line

_FIRST = ("accuracy", "auc", "f1", "macro_f1", "log_loss", "rmse", "mae", "bias")


def performance_text(lines: Iterable[Line]) -> str:
    """Write the figures of kind `performance` of one window; empty when there are none.

    Example: `accuracy 0.78 [0.75, 0.81], auc 0.672 [0.671, 0.673 bounds], labels 99.6%, provisional`.
    """
    mine = [line for line in _of(lines, "performance") if line.interval != EXACT]
    if not mine:
        return ""
    parts = _parts(mine)
    coverage = mine[0].coverage
    if coverage is not None:
        parts.append(f"labels {100 * coverage:.3g}%")
    if mine[0].provisional:
        parts.append("provisional")
    return ", ".join(parts)


def estimate_text(lines: Iterable[Line]) -> str:
    """Write the figures of kind `estimate` of one window; empty when there are none."""
    return ", ".join(_parts(_of(lines, "estimate")))


def _of(lines: Iterable[Line], kind: str) -> list[Line]:
    return [line for line in lines if line.kind == kind and not (line.feature or line.segment)]


def _parts(mine: Iterable[Line]) -> list[str]:
    found = {line.metric: line for line in mine}
    return [_one(found[metric]) for metric in _FIRST if metric in found and found[metric].value is not None]


def _one(line: Line) -> str:
    text = f"{line.metric} {line.value:.3g}"
    if line.low is None or line.high is None:
        return text
    bounds = " bounds" if line.interval == "bounds" else ""
    return f"{text} [{line.low:.3g}, {line.high:.3g}{bounds}]"
