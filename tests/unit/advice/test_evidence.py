"""Windows become evidence: both roles side by side, final ones only."""

from __future__ import annotations

import dataclasses

from driftline.schemas.window import Figure, WindowResult
from driftline.streams.advice.evidence import evidence_of

DAY_MS = 86_400_000


def result(role: str, number: int = 0, **other: object) -> WindowResult:
    """Return a final day as one role counted it."""
    figure = Figure("drift", "x", "psi", 0.1) if role == "drift" else Figure("performance", "", "auc", 0.7)
    plain = WindowResult(
        "churn", "1", "champion", "1d", number * DAY_MS, (number + 1) * DAY_MS, "", 0, 5, final=True,
        restated=False, rows=200, watermark_ms=0, counts=b"", computed_at_ms=0, role=role,
        figures=[figure, Figure("health", "", "rate", 3.0)], labels=150 if role == "accuracy" else 0,
    )  # fmt: skip
    return dataclasses.replace(plain, version=-1, **other)  # type: ignore[arg-type]


def test_both_roles_of_a_window_are_one_evidence() -> None:
    """Figures of drift and of accuracy stand together, with labels and coverage; health is left out."""
    (found,) = evidence_of([result("accuracy"), result("drift")])
    assert [one.kind for one in found.figures] == ["drift", "performance"]
    assert (found.labels, found.coverage, found.provisional) == (150, 0.75, False)


def test_what_is_not_final_is_no_evidence() -> None:
    """An open window is left out, whichever role it is of."""
    assert evidence_of([result("drift", final=False)]) == []
    (found,) = evidence_of([result("drift"), result("accuracy", final=False)])
    assert (found.labels, found.coverage) == (0, None)
    assert [one.kind for one in found.figures] == ["drift"]


def test_the_later_publication_of_a_window_holds() -> None:
    """A restatement replaces what came before it, in whatever order the two are read."""
    before, after = result("accuracy"), result("accuracy", absorbed=9, labels=190)
    for order in ([before, after], [after, before]):
        assert evidence_of(order)[0].labels == 190


def test_windows_stand_in_the_order_of_time() -> None:
    """Windows of any order come out oldest first."""
    found = evidence_of([result("drift", 2), result("drift", 0), result("drift", 1)])
    assert [one.start_ms // DAY_MS for one in found] == [0, 1, 2]
