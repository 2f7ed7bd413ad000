"""Rates of groups and the named criteria against fairlearn's on the same seeded rows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from seeded_tables import group_table

from driftline.streams.stats.fairness import FairnessRow, fairness

FAIRLEARN = json.loads((Path(__file__).parent / "fairlearn_groups.json").read_text(encoding="utf-8"))


def rows() -> list[FairnessRow]:
    """Compute every row of the seeded groups."""
    group, said, truth = group_table()
    names = sorted(set(group.tolist()))
    cells = [np.bincount(2 * truth[group == name] + said[group == name], minlength=4) for name in names]
    return fairness(names, np.reshape(cells, (-1, 2, 2)))


@pytest.mark.parametrize("rate", sorted(FAIRLEARN["rates"]))
def test_rates_equal_fairlearns(rate: str) -> None:
    """Each group's rate is fairlearn's to 1e-12."""
    found = {row.group: row.value for row in rows() if row.metric == rate}
    assert found == pytest.approx(FAIRLEARN["rates"][rate], abs=1e-12)


@pytest.mark.parametrize("criterion", sorted(FAIRLEARN["criteria"]))
def test_criteria_equal_fairlearns(criterion: str) -> None:
    """The value of each criterion is fairlearn's ratio or difference between groups to 1e-12."""
    found = next(row for row in rows() if row.metric == criterion)
    assert found.value == pytest.approx(FAIRLEARN["criteria"][criterion], abs=1e-12)
    assert found.verdict == "fail"
