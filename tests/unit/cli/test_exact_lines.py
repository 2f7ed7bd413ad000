"""Which windows have exact figures, and what is said of those that have none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from driftline.deploy.cli.windows_exact import NoExactFiguresError, exact_lines, exact_text
from driftline.deploy.cli.windows_line import Line
from driftline.deploy.cli.windows_performance import performance_text
from driftline.schemas.settings import Settings

DAY_MS = 86_400_000
LINE = Line("churn", "1", "champion", "1d", 0, DAY_MS, "performance", "", "auc", 0.7, None, None, None, None, "", 9,
            0, final=True, restated=False, window_rows=10, low=0.6, high=0.8, interval="bounds", labels=9,
            coverage=0.9)  # fmt: skip


def test_windows_wider_than_a_day_are_refused_in_one_sentence() -> None:
    """The memory is that of a day at most, and the sentence says what to ask for."""
    month = replace(LINE, resolution="1M", window_end_ms=31 * DAY_MS)
    with pytest.raises(
        NoExactFiguresError, match="these windows are of 1M: ask for --resolution 1d, 1h or 5m"
    ):
        exact_lines(Settings(), [month])


def test_open_windows_have_no_exact_figures() -> None:
    """Without a closed window there is nothing to tell."""
    with pytest.raises(NoExactFiguresError, match="none of these is"):
        exact_lines(Settings(), [replace(LINE, final=False)])


def test_more_windows_than_are_worked_out_at_once_are_refused() -> None:
    """A year of five minutes would take a day: the sentence says how to ask for less."""
    many = [
        replace(LINE, window_start_ms=at * 300_000, window_end_ms=(at + 1) * 300_000) for at in range(1_001)
    ]
    with pytest.raises(NoExactFiguresError, match="of 1,001 windows are asked for, at most 1,000"):
        exact_lines(Settings(), many)


def test_exact_figures_stand_on_a_line_of_their_own() -> None:
    """Beside the streamed bounds, which stay as they are."""
    exact = replace(LINE, value=0.6912345, low=0.6912345, high=0.6912345, interval="exact", coverage=1.0)
    assert exact_text([LINE, exact]) == "auc 0.69123, labels 100%"
    assert performance_text([exact, LINE]) == "auc 0.7 [0.6, 0.8 bounds], labels 90%"
    assert exact_text([LINE]) == ""
