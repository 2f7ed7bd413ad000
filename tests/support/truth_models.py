"""Models of three tasks for tests of the join: what they say of seeded rows, and the profiles that they are held to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from driftline.deploy.tables.shelf import publish
from driftline.schemas.columns import Category, LabelColumns, NumericBlock, PredictionColumns
from driftline.schemas.profile import Profile
from driftline.schemas.settings import Settings
from driftline.streams.join.reference_truth import place_ids, reference_truth
from driftline.streams.windows.profiling import build_profile

DAY_MS = 86_400_000
REGIONS = ("north", "south", "west", "moon")
"""Values of the segment; the reference has all but the last."""
REFERENCE_ROWS = 1_500


@dataclass(frozen=True)
class Model:
    """One deployment.

    Attributes:
        name: its name.
        task: `binary`, `classes` or `regression`.
        classes: in the order of the confusion.
        scores: names of its scores.
        widths: resolutions to count, narrowest first.
        days: event time that its predictions pass through.
    """

    name: str
    task: str
    classes: tuple[str, ...]
    scores: tuple[str, ...]
    widths: tuple[str, ...]
    days: int

    def answers(
        self, draw: np.random.Generator, rows: int, kinds: int = len(REGIONS)
    ) -> tuple[NDArray[np.float32], NDArray[np.float64], Category]:
        """Give scores (S, n), truths (n,) that lie near them, and segment values of some rows."""
        region = Category("region", REGIONS, draw.integers(-1, kinds, rows).astype(np.int32))
        if self.task == "regression":
            truth = draw.normal(10, 4, rows).round(2)
            return (truth + draw.normal(0, 1.5, rows))[None].astype(np.float32), truth, region
        truth = draw.integers(0, len(self.classes), rows)
        logits = draw.normal(0, 1, (len(self.scores), rows))
        if self.task == "binary":
            return (
                (1 / (1 + np.exp(-logits - 1.5 * (2 * truth - 1)))).astype(np.float32),
                truth.astype(float),
                region,
            )
        logits[truth, np.arange(rows)] += 1.2
        weights = np.exp(logits)
        return (weights / weights.sum(axis=0)).astype(np.float32), truth.astype(float), region

    def truths(self, values: NDArray[np.float64]) -> tuple[NDArray[np.float64], Category]:
        """Write truths as labels carry them: numbers for a regression, else classes."""
        if self.task == "regression":
            return values, Category("class", (), np.full(len(values), -1, np.int32))
        codes = values.astype(np.int32)
        return np.full(len(values), np.nan), Category("class", self.classes, codes)


MODELS = (
    Model("churn", "binary", ("0", "1"), ("score",), ("1h", "1d"), 40),
    Model("kinds", "classes", ("ant", "bee", "cat"), ("p_ant", "p_bee", "p_cat"), ("1d",), 40),
    Model("price", "regression", (), ("amount",), ("1h", "1d"), 40),
    Model("swift", "binary", ("0", "1"), ("score",), ("5m", "1h", "1d"), 3),
)


def profile_of_model(model: Model, version: str, seed: int) -> Profile:
    """Build the profile of a version, with truth, from held-out rows of its own."""
    draw = np.random.default_rng([seed, len(model.name), int(version)])
    scores, truth, region = model.answers(draw, REFERENCE_ROWS, kinds=len(REGIONS) - 1)
    cols = predictions(model, version, "champion", np.zeros((REFERENCE_ROWS, 16), np.uint8), scores, region)
    profile = build_profile(
        [cols],
        rng=np.random.default_rng(seed),
        created_at_ms=0,
        provenance="held-out",
        resolutions=model.widths,
        has_times=False,
    )
    numbers, classes = model.truths(truth)
    labels = LabelColumns(
        model.name,
        REFERENCE_ROWS,
        None,
        place_ids(0, REFERENCE_ROWS),
        None,
        np.zeros(REFERENCE_ROWS, np.int64),
        numbers=numbers,
        classes=classes if model.classes else None,
    )
    return replace(profile, truth=reference_truth(profile, [cols], [labels]))


def publish_models(settings: Settings, versions: Sequence[str], seed: int) -> dict[tuple[str, str], Profile]:
    """Publish the profile of every version of every model; gives them by deployment and version."""
    found = {
        (model.name, version): profile_of_model(model, version, seed)
        for model in MODELS
        for version in versions
    }
    for profile in found.values():
        publish(settings, profile)
    return found


def predictions(
    model: Model,
    version: str,
    slot: str,
    ids: NDArray[np.uint8],
    scores: NDArray[np.float32],
    region: Category,
    times_ms: NDArray[np.int64] | None = None,
) -> PredictionColumns:
    """Lay out rows of a model as predictions; without times all lie at 0."""
    rows = len(ids)
    times = np.zeros(rows, np.int64) if times_ms is None else times_ms
    return PredictionColumns(
        model.name, version, slot, rows, None, ids, None, times,
        scores=[NumericBlock(model.scores, scores)], segments=[region],
    )  # fmt: skip
