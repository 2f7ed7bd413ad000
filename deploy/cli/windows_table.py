"""How figures of windows look to a person: one block a window, what drifted first, 80 columns wide.

"Inconclusive" and "no data" have marks of their own: neither may be taken for "ok".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from textwrap import fill

from rich.console import Console, Group, RenderableType
from rich.text import Text

NO_DATA = "no data"
# Order of the lines of a window: what asks for attention first.
ORDER = ("fail", "warn", NO_DATA, "inconclusive", "ok")
# The words differ too, so that nothing rests on colour alone.
WORDS = {"fail": "FAIL", "warn": "WARN", NO_DATA: "no data", "inconclusive": "inconclusive", "ok": "ok"}
STYLES = {"fail": "bold red", "warn": "yellow", NO_DATA: "magenta", "inconclusive": "cyan", "ok": "green"}
# Features of a folded line that are named before the rest is counted.
NAMED_OK = 5
# Columns of a line; together with their gaps and a limit they fit in 80.
WIDTH = 80
WORD_WIDTH = 12
KIND_WIDTH = 10
FEATURE_WIDTH = 20
METRIC_WIDTH = 11
VALUE_WIDTH = 8
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Line:
    """One figure of one window, as `driftline windows` shows it.

    Times are milliseconds since 1970, UTC. `verdict` is None for a figure that carries none. The
    thresholds are the iid null's quantile, the effect floor and the reference's own variation, or None.
    """

    deployment: str
    model_version: str
    slot: str
    resolution: str
    window_start_ms: int
    window_end_ms: int
    kind: str
    feature: str
    metric: str
    value: float | None
    null: float | None
    floor: float | None
    block: float | None
    verdict: str | None
    reason: str
    rows: int
    reference_rows: int
    final: bool
    restated: bool

    @property
    def state(self) -> str:
        """The verdict as shown: a window without a single row for this figure is "no data"."""
        if self.verdict == "inconclusive" and self.rows == 0:
            return NO_DATA
        return self.verdict or ""

    @property
    def threshold(self) -> float | None:
        """The largest of the thresholds that the figure must exceed; None when it has none."""
        given = [limit for limit in (self.null, self.floor, self.block) if limit is not None]
        return max(given) if given else None

    def as_json(self) -> dict[str, object]:
        """The object of one line of `--json`."""
        return {
            "deployment": self.deployment,
            "model_version": self.model_version,
            "slot": self.slot,
            "kind": self.kind,
            "feature": self.feature,
            "metric": self.metric,
            "value": self.value,
            "thresholds": {"null": self.null, "floor": self.floor, "block": self.block},
            "verdict": self.verdict,
            "reason": self.reason,
            "rows": self.rows,
            "reference_rows": self.reference_rows,
            "resolution": self.resolution,
            "window_start": utc(self.window_start_ms),
            "window_end": utc(self.window_end_ms),
            "final": self.final,
            "restated": self.restated,
        }


def utc(time_ms: int) -> str:
    """Write a time as ISO 8601 in UTC, to the second.

    >>> utc(1_364_774_400_000)
    '2013-04-01T00:00:00Z'
    """
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def render(lines: Iterable[Line], *, unfold: bool = False) -> RenderableType:
    """Draw the figures that carry a verdict, oldest window first.

    Args:
        lines: in any order; those without a verdict are left to `--json`.
        unfold: show each "ok" on a line of its own instead of naming some and counting the rest.
    """
    judged = sorted((line for line in lines if line.verdict is not None), key=_place)
    blocks: list[RenderableType] = []
    for _, group in groupby(judged, key=_window):
        blocks.append(_block(list(group), unfold=unfold))
    blocks.append(_summary(judged))
    return Group(*blocks)


def show(picture: RenderableType) -> None:
    """Print on stdout: coloured on a terminal, plain text of 80 columns elsewhere."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH, color_system=None)
    console.print(picture, soft_wrap=True)


def _window(line: Line) -> tuple[int, str, str, str]:
    return (line.window_start_ms, line.model_version, line.slot, line.resolution)


def _place(line: Line) -> tuple[int, str, str, str, int, str, str]:
    rank = ORDER.index(line.state) if line.state in ORDER else len(ORDER)
    return (*_window(line), rank, line.kind, line.feature)


def _block(lines: Sequence[Line], *, unfold: bool) -> RenderableType:
    ok = [line for line in lines if line.state == "ok" and not unfold]
    rows: list[RenderableType] = [_heading(lines[0], _rows(lines))]
    rows += [_row(line) for line in lines if line not in ok]
    if ok:
        rows.append(_folded(ok))
    return Group(*rows)


def _rows(lines: Sequence[Line]) -> int:
    return max(line.rows for line in lines)


def _heading(line: Line, rows: int) -> Text:
    state = "final" if line.final else "open"
    if line.restated:
        state += ", restated"
    who = f"version {line.model_version}" + ("" if line.slot == "champion" else f" ({line.slot})")
    text = Text(f"{_span(line)}", style="bold")
    return text.append(f"  {who}  {rows:,} rows  {state}", style="dim")


def _span(line: Line) -> str:
    start = datetime.fromtimestamp(line.window_start_ms / 1000, UTC)
    if line.resolution == "1M":
        return start.strftime("%Y-%m")
    if line.window_end_ms - line.window_start_ms >= DAY_MS:
        return f"{start:%Y-%m-%d}" + (" +7d" if line.resolution == "7d" else "")
    return f"{start:%Y-%m-%d %H:%M} +{line.resolution}"


def _row(line: Line) -> Text:
    style = STYLES.get(line.state, "")
    text = Text("  ").append(f"{WORDS.get(line.state, line.state):<{WORD_WIDTH}} ", style=style)
    text.append(f"{line.kind:<{KIND_WIDTH}} ", style="dim").append(f"{line.feature:<{FEATURE_WIDTH}} ")
    if line.state in ("inconclusive", NO_DATA):
        return text.append(_hanging(line.reason, text.cell_len), style="dim")
    text.append(f"{line.metric:<{METRIC_WIDTH}} ").append(
        f"{_number(line.value):>{VALUE_WIDTH}}", style=style
    )
    return text if line.threshold is None else text.append(f"  limit {_number(line.threshold)}", style="dim")


def _hanging(reason: str, used: int) -> str:
    """Wrap a reason into the columns that are left, or below them when it is long."""
    if used + len(reason) <= WIDTH:
        return reason
    indent = " " * (2 + WORD_WIDTH + 1)
    return "\n" + fill(reason, WIDTH, initial_indent=indent, subsequent_indent=indent)


def _folded(ok: Sequence[Line]) -> Text:
    text = Text("  ").append(f"{WORDS['ok']:<{WORD_WIDTH}} ", style=STYLES["ok"])
    shown = ", ".join(line.feature for line in ok[:NAMED_OK])
    more = len(ok) - NAMED_OK
    return text.append(_hanging(f"{shown} and {more} more" if more > 0 else shown, text.cell_len))


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if abs(value) < 1000 else f"{value:,.0f}"  # noqa: PLR2004 - three digits are enough


def _summary(judged: Sequence[Line]) -> Text:
    if not judged:
        return Text("No figure with a verdict was found.", style="dim")
    counts = Counter(line.state for line in judged)
    windows = len({_window(line) for line in judged})
    text = Text(f"{windows} window{'s' if windows > 1 else ''} of {judged[0].resolution}: ")
    for place, state in enumerate(state for state in ORDER if counts[state]):
        text.append(", " if place else "").append(f"{counts[state]} {WORDS[state]}", style=STYLES[state])
    return text
