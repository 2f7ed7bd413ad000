"""Windows of seeded rows, counted and judged without a broker: how they differ from their reference is an argument."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from truth_models import MODELS, Model, predictions, profile_of_model

from driftline.schemas.columns import LabelColumns
from driftline.schemas.deployment import DeploymentSettings
from driftline.schemas.profile import Profile
from driftline.schemas.window import Figure
from driftline.streams.join.figures import window_figures
from driftline.streams.join.hot import Hot
from driftline.streams.join.kept import CellKey
from driftline.streams.join.outcomes import Outcomes
from driftline.streams.join.scheme import Scheme
from driftline.streams.join.scheme_of import scheme_of
from driftline.streams.join.terms import Terms
from driftline.streams.join.verdict import Stage
from driftline.streams.join.yardstick import yardstick_of

CHURN, KINDS, PRICE = MODELS[:3]
ROWS = 2_000
CLOSED = Stage(closed=True, provisional="")


def terms_of(
    model: Model, *, profile: Profile | None = None, provenance: str = "held-out", **given: object
) -> Terms:
    """Terms of a model's first version, with settings by name."""
    held = replace(profile or profile_of_model(model, "1", 1), provenance=provenance)
    settings = DeploymentSettings(deployment=model.name, **given)  # type: ignore[arg-type]
    digest = held.digest()
    own = scheme_of(held, digest, settings)
    return Terms(settings, 1, own, yardstick_of(held, scheme_of(held, digest)))


def counted(
    model: Model,
    scheme: Scheme | None,
    *,
    rows: int = ROWS,
    labelled: float = 1.0,
    wrong: float = 0.0,
    seed: int = 5,
) -> Outcomes:
    """Count rows drawn as the reference's are; of a share of them the truth is another one."""
    draw = np.random.default_rng(seed)
    scores, truth, region = model.answers(draw, rows, kinds=3)
    is_wrong = draw.random(rows) < wrong
    other = truth + 30 if model.task == "regression" else (truth + 1) % len(model.classes)
    numbers, classes = model.truths(np.where(is_wrong, other, truth))
    ids = draw.integers(0, 256, (rows, 16), dtype=np.uint8)
    has = draw.random(rows) < labelled
    hot = Hot(model.name)
    hot.fold(predictions(model, "1", "champion", ids, scores, region), 0, lambda _: scheme, ("1d",), 3)
    classes.codes = classes.codes[has]
    known = np.zeros(int(has.sum()), np.int64)
    if len(known):
        labels = LabelColumns(
            model.name, len(known), None, ids[has], None, known, numbers=numbers[has], classes=classes
        )
        hot.add_labels(labels, 0, 0)
    hot.settle()
    found = hot.outcomes.get(CellKey("1", "champion", 0))
    assert found is not None
    return found


def figures(terms: Terms, outcomes: Outcomes, stage: Stage = CLOSED) -> dict[tuple[str, str, str], Figure]:
    """Figures of a window by kind, segment and metric; those of single classes are left out."""
    found = window_figures(terms, outcomes, [], stage)
    return {
        (one.kind, one.segment, one.metric): one for one in found if one.kind == "fairness" or not one.feature
    }
