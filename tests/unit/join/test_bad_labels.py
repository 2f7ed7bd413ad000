"""Labels that mean nothing, or far too many of them: counted, and the join neither stops nor grows (P7, P9)."""

from __future__ import annotations

import numpy as np
import pytest

from driftline.schemas.columns import Category, LabelColumns, NumericBlock, PredictionColumns
from driftline.schemas.deployment import DeploymentSettings
from driftline.streams.join.hot import HOT_BYTES
from driftline.streams.join.outcomes import Outcomes
from driftline.streams.join.performance import performance_figures
from driftline.streams.join.scheme import Scheme
from driftline.streams.join.shard import Shard
from driftline.streams.join.terms import Terms
from driftline.streams.join.vocabulary import CLASSES_MAX
from driftline.streams.windows.rules import Rules

DAY_MS = 86_400_000
START_MS = 1_750_032_000_000
BINARY = Scheme("a" * 64, "binary", ("no", "yes"), ("score",), edges=np.array([0.5]))
NUMBERS = Scheme("b" * 64, "regression", scores=("score",))


class Book:
    """A binary model, and one that predicts numbers under version `n`."""

    def terms(self, deployment: str, version: str, _at_ms: int) -> Terms:
        """The scheme, and nobody's settings."""
        scheme = NUMBERS if version == "n" else BINARY
        return Terms(DeploymentSettings(deployment=deployment), scheme=scheme)

    def resolutions(self, _deployment: str, _version: str) -> tuple[str, ...]:
        """Days alone."""
        return ("1d",)


def ids(first: int, rows: int) -> np.ndarray:
    """Ids that count upwards."""
    found = np.zeros((rows, 16), np.uint8)
    found[:, 8:] = np.arange(first, first + rows, dtype=">u8").reshape(-1, 1).view(np.uint8).reshape(rows, 8)
    return found


def said(rows: int, version: str = "1", deployment: str = "d", **over: object) -> PredictionColumns:
    """Predictions of one day."""
    scores = [NumericBlock(("score",), np.full((1, rows), 0.9, np.float32))]
    times = np.full(rows, START_MS, np.int64)
    cols = PredictionColumns(
        deployment, version, "champion", rows, None, ids(0, rows), None, times, scores=scores
    )
    for name, value in over.items():
        setattr(cols, name, value)
    return cols


def numbers(deployment: str, of: np.ndarray, *values: float) -> LabelColumns:
    """Labels that are numbers."""
    rows = len(of)
    given = np.resize(np.array(values, np.float64), rows)
    return LabelColumns(deployment, rows, None, of, None, np.full(rows, START_MS, np.int64), numbers=given)


def texts(of: np.ndarray, *values: str) -> LabelColumns:
    """Labels that are classes."""
    rows = len(of)
    codes = np.resize(np.arange(len(values), dtype=np.int32), rows)
    known = np.full(rows, START_MS, np.int64)
    return LabelColumns("d", rows, None, of, None, known, classes=Category("class", values, codes))


def figures(shard: Shard) -> dict[str, float | None]:
    """Publish, and give the figures of the day by metric."""
    day = next(one for one in shard.results(0) if one.resolution == "1d")
    shard.commit()
    return {figure.metric: figure.value for figure in day.figures if not (figure.feature or figure.segment)}


@pytest.mark.parametrize("values", [("maybe", "yes?"), ("",)])
def test_a_class_that_the_model_does_not_have_is_no_truth(values: tuple[str, ...]) -> None:
    """It counts as a label that says nothing known: the figures rest on the others alone."""
    shard = Shard(0, Book(), Rules())
    shard.take_predictions(0, said(4), 0)
    shard.take_labels(0, texts(ids(0, 2), *values), 0)
    shard.take_labels(1, texts(ids(2, 2), "yes"), 0)
    found = figures(shard)
    assert (found["coverage"], found["accuracy"]) == (1.0, 1.0)
    kept = shard.hots["d"].outcomes
    outcomes = kept.get(next(iter(kept)))
    assert outcomes is not None
    assert (outcomes.labels, outcomes.unknown, outcomes.counted) == (4, 2, 2)


def test_a_number_for_a_class_and_a_class_for_a_number_are_no_truth() -> None:
    """Whatever a task cannot hold an answer against is counted as unknown, infinities as undecided."""
    shard = Shard(0, Book(), Rules())
    shard.take_predictions(0, said(3), 0)
    shard.take_predictions(1, said(3, "n"), 0)
    shard.take_labels(0, numbers("d", ids(0, 2), 3.7, np.inf), 0)
    shard.take_labels(1, texts(ids(2, 1), "yes"), 0)
    list(shard.results(0))
    kept = shard.hots["d"].outcomes
    found = {key.version: one for key in kept if (one := kept.get(key)) is not None}
    assert (found["1"].labels, found["1"].unknown, found["1"].counted) == (3, 2, 1)
    assert (found["n"].labels, found["n"].unknown, found["n"].undecided) == (3, 1, 1)


def test_a_million_labels_of_one_id_take_one_place() -> None:
    """What waits is bounded by the publication, and one label is in force in the end: the last of the greatest time."""
    shard = Shard(0, Book(), Rules(held_bytes=1_000_000))
    shard.take_predictions(0, said(1), 0)
    for offset in range(20):
        shard.take_labels(offset, numbers("d", np.zeros((50_000, 16), np.uint8), 0.0, 1.0), 0)
        figures(shard)
        assert shard.nbytes < HOT_BYTES + 10_000
    hot = shard.hots["d"]
    assert len(hot.labels.rows) == 1
    assert hot.labels.rows.place[0] == (19 << 20) + 49_999


def test_a_hundred_thousand_classes_are_a_thousand_and_one() -> None:
    """Names of classes beyond the bound are one, not known; the day is published all the same."""
    shard = Shard(0, Book(), Rules())
    shard.take_predictions(0, said(1000), 0)
    for offset in range(100):
        of = ids(offset * 1000, 1000)
        shard.take_labels(offset, texts(of, *(f"class {offset} {row}" for row in range(1000))), 0)
    found = figures(shard)
    assert found["coverage"] == 1.0
    assert found["accuracy"] is None
    assert len(shard.hots["d"].vocabulary.texts) == CLASSES_MAX


def test_labels_of_deployments_that_nobody_knows_are_forgotten() -> None:
    """They wait for a day of the broker's time, whoever's; then their deployment is gone from memory and state."""
    shard = Shard(0, Book(), Rules())
    for number in range(500):
        shard.take_labels(number, numbers(f"nobody-{number}", ids(0, 1), 1.0), 1_000)
    list(shard.results(0))
    shard.commit()
    assert len(shard.hots) == 500
    shard.take_predictions(0, said(1), 0)
    shard.take_labels(500, numbers("d", ids(0, 1), 1.0), 2 * DAY_MS)
    list(shard.results(0))
    (_, row) = shard.commit()[-1]
    assert list(shard.hots) == ["d"]
    assert row is not None
    assert b"nobody" not in row


def test_a_flood_of_deployments_stays_within_the_cap() -> None:
    """A deployment weighs what its objects take, so names alone cannot fill the memory."""
    cap = 100 * HOT_BYTES
    shard = Shard(0, Book(), Rules(held_bytes=cap))
    for number in range(1_000):
        shard.take_labels(number, numbers(f"nobody-{number}", ids(0, 1), 1.0), 1_000)
        if shard.nbytes > cap:
            list(shard.results(0))
            shard.commit()
        assert shard.nbytes <= cap + HOT_BYTES
    assert len(shard.hots) <= 100


def test_ids_made_to_collide_do_not_stall_the_join() -> None:
    """A hundred thousand ids that share one key are matched as fast as others: in steps that halve, not one by one."""
    rest = np.arange(1, 100_001, dtype=np.uint64)
    low = rest * np.uint64(0x9E3779B97F4A7C15)
    of = np.stack([rest, low], axis=1).astype(">u8").view(np.uint8).reshape(-1, 16)
    shard = Shard(0, Book(), Rules())
    shard.take_predictions(0, said(100_000, ids=of), 0)
    list(shard.results(0))
    shard.commit()
    shard.take_labels(0, numbers("d", of[::-1], 1.0), 0)
    assert figures(shard)["coverage"] == 1.0
    assert len(np.unique(next(iter(shard.hots["d"].cells.values())).rows.key)) == 1


def test_a_segment_with_very_many_values_takes_no_place() -> None:
    """The join keeps no text of a segment: predictions weigh the same whatever their segments say."""
    shard = Shard(0, Book(), Rules())
    sizes = []
    for offset, distinct in enumerate((2, 50_000)):
        levels = tuple(f"value {number}" for number in range(distinct))
        codes = np.resize(np.arange(distinct, dtype=np.int32), 50_000)
        cols = said(50_000, deployment=f"d{offset}", segments=[Category("customer", levels, codes)])
        before = shard.nbytes
        shard.take_predictions(offset, cols, 0)
        list(shard.results(0))
        shard.commit()
        sizes.append(shard.nbytes - before)
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize("huge", [1e308, -1e308, 1e61, float("inf")])
def test_a_number_too_large_to_square_is_no_truth(huge: float) -> None:
    """It is counted among those that nothing can be held against; errors of the others are numbers, as before."""
    found = Outcomes.of(NUMBERS)
    found.add_numbers(np.array([1.0, huge, 3.0]), np.array([1.5, 1.0, 2.0]))
    assert (found.counted, found.undecided) == (2, 1)
    figures = {one.metric: one for one in performance_figures(NUMBERS, found)}
    assert figures["rmse"].value == 0.625**0.5
    assert figures["rmse"].high is not None


def test_labels_that_cannot_be_used_are_said() -> None:
    """A class that the profile does not have is no error of the model, and is not silent either."""
    shard = Shard(0, Book(), Rules(hot_windows=1))
    shard.take_predictions(0, said(10), 0)
    shard.take_labels(0, texts(ids(0, 4), "yes", "no", "maybe", "never"), 0)
    (result,) = [one for one in shard.results(0) if one.resolution == "1d"]
    (share,) = [one for one in result.figures if one.metric == "unusable_labels"]
    assert (share.value, share.rows) == (0.5, 4)
    assert share.reason.startswith("2 labels name no class")
