"""Advice as a person reads it: a line a window, and the last one in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from textwrap import fill, wrap
from typing import TYPE_CHECKING, Any, Final

import msgspec

from driftline.deploy.cli.windows_line import utc

if TYPE_CHECKING:
    from driftline.schemas.advice import Advice, Fell, Gain

WIDTH: Final = 80
WHY_LEAST: Final = 8
OF_EVENTS: Final = ("id", "made_at_ms", "routes")
"""Fields of the event that an advice which was only asked for has not."""
_DAY_MS: Final = 86_400_000


def as_json(advice: Advice) -> dict[str, Any]:
    """The object of one line of `--json`; `gain` is the deciding one, or the word unknown."""
    found: dict[str, Any] = msgspec.to_builtins(advice)
    for name in OF_EVENTS:
        del found[name]
    for name in ("window_start", "window_end", "since"):
        found[name] = utc(found.pop(f"{name}_ms"))
    found["gain"] = "unknown" if advice.gain is None else msgspec.to_builtins(advice.gain)
    return found


def rows(advices: Sequence[Advice]) -> list[tuple[str, ...]]:
    """Give the cells of each window: window, advice, fell, gain, why; a long `why` goes on in the next row."""
    cells = [
        (
            span(one.window_start_ms, one.resolution),
            one.advice,
            "" if one.fell is None else fell_text(one.fell),
            "unknown" if one.gain is None else gain_text(one.gain),
        )
        for one in advices
    ]
    taken = sum(max(map(len, column)) + 2 for column in zip(*cells, strict=True))
    found: list[tuple[str, ...]] = []
    for one, line in zip(advices, cells, strict=True):
        first, *rest = wrap(one.reasons[0].code, max(WHY_LEAST, WIDTH - taken))
        found.append((*line, first))
        found += [("",) * len(line) + (more,) for more in rest]
    return found


def in_words(advice: Advice) -> str:
    """Say one advice in sentences."""
    head = (
        f"{span(advice.window_start_ms, advice.resolution)}, {advice.deployment} version {advice.model_version}: "
        f"{advice.advice.upper()}, {advice.reasons[0].code}"
    )
    lines = [f"{head} (since {span(advice.since_ms, advice.resolution)})."]
    lines += [_point(f"{reason.code}: {reason.sentence}") for reason in advice.reasons]
    if advice.expected_per_year is not None:
        lines.append(
            _point(
                f"By chance alone windows of {advice.resolution} give this advice at most "
                f"{advice.expected_per_year:.2g} times a year, by the levels of their figures."
            )
        )
    return "\n".join(lines)


def span(start_ms: int, resolution: str) -> str:
    """Name a window by its start, as short as its width allows.

    >>> span(1_372_636_800_000, "1M"), span(1_372_636_800_000, "1d")
    ('2013-07', '2013-07-01')
    """
    start = datetime.fromtimestamp(start_ms / 1000, UTC)
    if resolution == "1M":
        return f"{start:%Y-%m}"
    return f"{start:%Y-%m-%d}" if start_ms % _DAY_MS == 0 else f"{start:%Y-%m-%d %H:%M}"


def fell_text(fell: Fell) -> str:
    """Name a fall: of figures that rise the share of the reference, of the others the difference."""
    rises = fell.figure > fell.reference
    return f"{fell.metric} {f'+{100 * fell.value:.0f}%' if rises else short(-fell.value)}"


def gain_text(gain: Gain) -> str:
    """Name a gain with its interval."""
    ends = "" if gain.low is None or gain.high is None else f" [{short(gain.low)}, {short(gain.high)}]"
    return f"{gain.metric} {short(gain.value)}{ends}"


def short(value: float) -> str:
    """Write a difference with its sign and three decimals, without the zero before the point.

    >>> short(0.0312), short(-0.0004), short(1.5)
    ('+.031', '-.000', '+1.500')
    """
    return f"{value:+.3f}".replace("+0.", "+.").replace("-0.", "-.")


def _point(sentence: str) -> str:
    return fill(sentence, WIDTH, initial_indent="  - ", subsequent_indent="    ")
