"""How figures of windows look to a person: one block a window, what drifted first, 80 columns wide.

"Inconclusive" and "no data" have marks of their own: neither may be taken for "ok".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import groupby
from textwrap import fill

from rich.console import Console, Group, RenderableType
from rich.text import Text

from driftline.deploy.cli.windows_exact import EXACT, exact_text
from driftline.deploy.cli.windows_health import health_text
from driftline.deploy.cli.windows_line import NO_DATA, Line
from driftline.deploy.cli.windows_performance import estimate_text, performance_text

# Order of the lines of a window: what asks for attention first.
SUMMED_UP = ("health", "performance", "estimate")
"""Kinds of figures that have a line of their own, with or without a verdict."""
ORDER = ("fail", "warn", NO_DATA, "inconclusive", "ok")
# The words differ too, so that nothing rests on colour alone.
WORDS = {"fail": "FAIL", "warn": "WARN", NO_DATA: "no data", "inconclusive": "inconclusive", "ok": "ok"}
STYLES = {"fail": "bold red", "warn": "yellow", NO_DATA: "magenta", "inconclusive": "cyan", "ok": "green"}
# Features of a folded line that are named before the rest is counted.
NAMED = 5
# Lines of values of segments that are shown of a window before the rest is counted.
SEGMENT_ROWS = 4
# Columns of a line; together with their gaps and a limit they fit in 80.
WIDTH = 80
WORD_WIDTH = 12
KIND_WIDTH = 10
FEATURE_WIDTH = 20
METRIC_WIDTH = 12
VALUE_WIDTH = 7
DAY_MS = 86_400_000


def render(lines: Iterable[Line], *, unfold: bool = False) -> RenderableType:
    """Draw the figures that carry a verdict, and a line of health and of performance a window, oldest window first.

    Args:
        lines: in any order; others without a verdict are left to `--json`.
        unfold: show figures of drift that are "ok" on lines of their own instead of naming some features.
    """
    given = list(lines)
    whole = {_feature(line) for line in given if not line.segment and line.state in ("fail", "warn")}
    wanted = (line for line in given if _is_shown(line) and not (line.segment and _feature(line) in whole))
    shown = sorted(wanted, key=_place)
    blocks: list[RenderableType] = []
    for _, group in groupby(shown, key=_window):
        blocks.append(_block(list(group), unfold=unfold))
    blocks.append(_summary([line for line in shown if line.verdict is not None]))
    return Group(*blocks)


def _is_shown(line: Line) -> bool:
    """Leave out figures that say nothing by themselves; of values of segments, all but those that ask for attention.

    A value whose feature asks for attention over all rows says nothing new either.
    """
    if _is_of_segment(line):
        return line.state in ("fail", "warn")
    return line.verdict is not None or line.kind in SUMMED_UP


def _is_of_segment(line: Line) -> bool:
    return bool(line.segment) or line.kind == "fairness"


def show(picture: RenderableType) -> None:
    """Print on stdout: coloured on a terminal, plain text of 80 columns elsewhere."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDTH, color_system=None)
    console.print(picture, soft_wrap=True)


def _window(line: Line) -> tuple[int, str, str, str]:
    return (line.window_start_ms, line.model_version, line.slot, line.resolution)


def _feature(line: Line) -> tuple[object, ...]:
    """What a value of a segment repeats: the same figure over all rows of the window; nothing without a feature."""
    return (*_window(line), line.kind, line.metric, line.feature or line.segment)


def _place(line: Line) -> tuple[int, str, str, str, int, int, str, str]:
    rank = ORDER.index(line.state) if line.state in ORDER else len(ORDER)
    return (*_window(line), int(_is_of_segment(line)), rank, line.kind, line.feature)


def _block(lines: Sequence[Line], *, unfold: bool) -> RenderableType:
    """Draw one window: what drifted line by line, what has no verdict, what is well, then health and performance."""
    judged = [line for line in lines if line.verdict is not None]
    alone = [line for line in judged if _stands_alone(line, unfold=unfold)]
    whole = [line for line in alone if not _is_of_segment(line)]
    parts = [line for line in alone if _is_of_segment(line)]
    rows: list[RenderableType] = [_heading(lines[0]), *map(_row, whole)]
    rest = sorted((line for line in judged if line not in alone), key=_cause)
    loud = {line.subject for line in alone}
    for (_, reason), group in groupby(rest, key=_cause):
        same = list(group)
        features = list(dict.fromkeys(line.subject or line.metric for line in same))
        if same[0].state == "ok":
            features = [name for name in features if name not in loud] or ["all other figures"]
        rows.append(_folded(same[0].state, features, reason))
    rows += map(_row, parts[:SEGMENT_ROWS])
    if len(parts) > SEGMENT_ROWS:
        rest_of = f"{len(parts) - SEGMENT_ROWS} more figures of values of segments; --json has all"
        rows.append(_under("", "dim", rest_of))
    health = health_text(lines)
    if health:
        rows.append(_under("health", "dim", health))
    told = (
        ("truth", performance_text(lines)),
        (EXACT, exact_text(lines)),
        ("estimate", estimate_text(lines)),
    )
    rows += [_under(word, "dim", sentence) for word, sentence in told if sentence]
    return Group(*rows)


def _stands_alone(line: Line, *, unfold: bool) -> bool:
    """Tell whether a figure is worth a line: what drifted is, and with `unfold` how far the rest is from it."""
    return line.state in ("fail", "warn") or (unfold and line.state == "ok" and line.kind != "quality")


def _cause(line: Line) -> tuple[int, str]:
    """What figures must share to share a line: their state and, without a verdict, the reason for that."""
    return (ORDER.index(line.state), "" if line.state == "ok" else line.reason)


def _heading(line: Line) -> Text:
    state = "final" if line.final else "open"
    if line.restated:
        state += ", restated"
    who = f"version {line.model_version}" + ("" if line.slot == "champion" else f" ({line.slot})")
    text = Text(f"{_span(line)}", style="bold")
    return text.append(f"  {who}  {line.window_rows:,} rows  {state}", style="dim")


def _span(line: Line) -> str:
    start = datetime.fromtimestamp(line.window_start_ms / 1000, UTC)
    if line.resolution == "1M":
        return start.strftime("%Y-%m")
    if line.window_end_ms - line.window_start_ms >= DAY_MS:
        return f"{start:%Y-%m-%d}" + (" +7d" if line.resolution == "7d" else "")
    return f"{start:%Y-%m-%d %H:%M} +{line.resolution}"


def _row(line: Line) -> Text:
    style = STYLES[line.state]
    text = Text("  ").append(f"{WORDS[line.state]:<{WORD_WIDTH}} ", style=style)
    # Long names of a kind and of a metric take room from the subject between them.
    over = max(0, len(line.kind) - KIND_WIDTH) + max(0, len(line.metric) - METRIC_WIDTH)
    room = max(0, FEATURE_WIDTH - over)
    text.append(f"{line.kind:<{KIND_WIDTH}} ", style="dim").append(f"{line.subject:<{room}} ")
    text.append(f"{line.metric:<{METRIC_WIDTH}} ").append(
        f"{_number(line.value):>{VALUE_WIDTH}}", style=style
    )
    return text if line.threshold is None else text.append(f"  limit {_number(line.threshold)}", style="dim")


def _folded(state: str, features: Sequence[str], reason: str) -> Text:
    """Name some features that share a state and count the rest, with the reason that they share."""
    more = len(features) - NAMED
    names = ", ".join(features[:NAMED]) + (f" and {more} more" if more > 0 else "")
    text = Text("  ").append(f"{WORDS[state]:<{WORD_WIDTH}} ", style=STYLES[state])
    indent = " " * text.cell_len
    if reason and len(indent) + len(names) + 2 + len(reason) <= WIDTH:
        return text.append(f"{names}: ").append(reason, style="dim")
    text.append(fill(names, WIDTH, initial_indent=indent, subsequent_indent=indent).strip())
    if reason:
        text.append("\n" + fill(reason, WIDTH, initial_indent=indent, subsequent_indent=indent), style="dim")
    return text


def _under(word: str, style: str, sentence: str) -> Text:
    """A word in the place of a verdict, and a sentence of as many lines as it takes."""
    text = Text("  ").append(f"{word:<{WORD_WIDTH}} ", style=style)
    indent = " " * text.cell_len
    return text.append(fill(sentence, WIDTH, initial_indent=indent, subsequent_indent=indent).strip())


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
