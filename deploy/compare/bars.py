"""Bars: the shares of one column, reference beside current, as a small inline SVG."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from driftline.deploy.compare.shown import Bar

WIDTH, HEIGHT, BASE = 320, 84, 80
GAP = 0.28
"""Part of a bin's width that stays empty, between it and the next."""


def bars_svg(bars: Sequence[Bar], title: str) -> str:
    """Draw pairs of bars, reference left and current right; each pair tells its shares when touched.

    Args:
        bars: bins or levels.
        title: what the picture shows, for readers who do not see it.
    """
    top = max((max(bar.reference, bar.current) for bar in bars), default=0.0) or 1.0
    step = WIDTH / max(len(bars), 1)
    wide = step * (1 - GAP) / 2
    drawn = []
    for at, bar in enumerate(bars):
        left = at * step + step * GAP / 2
        said = escape(f"{bar.label}: {bar.reference:.1%} in the reference, {bar.current:.1%} now")
        drawn.append(
            f"<g><title>{said}</title>"
            f'<rect class="hit" x="{at * step:.1f}" y="0" width="{step:.1f}" height="{HEIGHT}"/>'
            f"{_bar('old', left, wide, bar.reference / top)}{_bar('new', left + wide, wide, bar.current / top)}</g>"
        )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title, quote=True)}" '
        f'preserveAspectRatio="none">{"".join(drawn)}'
        f'<line x1="0" y1="{BASE}" x2="{WIDTH}" y2="{BASE}"/></svg>'
    )


def _bar(side: str, left: float, wide: float, part: float) -> str:
    """Draw one bar; a share above 0 shows as a pixel at least."""
    high = max(part * (BASE - 2), 1.0) if part > 0 else 0.0
    return (
        f'<rect class="{side}" x="{left:.1f}" y="{BASE - high:.1f}" width="{wide:.1f}" height="{high:.1f}"/>'
    )
