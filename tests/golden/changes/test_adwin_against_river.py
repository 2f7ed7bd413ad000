"""ADWIN equals river's on random streams: widths, changes, sums; river's answers are committed beside this file."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from driftline.streams.changes.adwin import Adwin

STREAMS = json.loads((Path(__file__).parent / "adwin_river.json").read_text(encoding="utf-8"))["streams"]


def stream(seed: int) -> list[float]:
    """Return 800 values around a level that may step once."""
    draw = random.Random(seed)
    level, step, spread = draw.random(), draw.choice([0.0, 0.05, 0.2, 0.6]), draw.choice([0.02, 0.1, 0.3])
    at = draw.randrange(100, 700)
    return [draw.gauss(level + (step if i >= at else 0.0), spread) for i in range(800)]


@pytest.mark.parametrize("expected", STREAMS, ids=lambda one: f"seed {one['seed']}")
def test_widths_and_changes_equal_rivers(expected: dict[str, Any]) -> None:
    """The same values are kept after each step, the same steps show a change, and sums agree to 1e-9."""
    adwin = Adwin()
    changes, widths = [], []
    for at, value in enumerate(stream(expected["seed"])):
        if adwin.update(value, at) is not None:
            changes.append(at)
        if at % 40 == 39:
            widths.append(adwin.width)
    assert changes == expected["changes"]
    assert widths == expected["widths"]
    assert adwin.total == pytest.approx(expected["total"], rel=1e-9, abs=1e-9)
    assert adwin.spread == pytest.approx(expected["variance"], rel=1e-9)
