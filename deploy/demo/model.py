"""A model that is really trained: will a flight that departs now arrive late?

Gradient boosting on January and February. Nothing known only after departure goes in; the delay at departure
is left out too, or the answer would be given away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pyarrow import compute as pc
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from driftline.deploy.demo.flights import LEVELS, NUMBERS
from driftline.deploy.demo.importance import permutation_losses

if TYPE_CHECKING:
    from numpy.typing import NDArray

DAY_MS = 86_400_000
TRAINED_UNTIL_MS = 1_362_096_000_000
"""2013-03-01 00:00 UTC: what departs before it is the reference."""

FOLDS = 5
SEED = 2013


@dataclass(frozen=True, slots=True)
class Scored:
    """The year with the model's answers, and how good the model is.

    Attributes:
        model: the one that learnt from all of the reference.
        year: the flights with `p_late`; in January and February the out-of-fold score, as no model that had
            learnt from a day could have answered on that day.
        reference: the rows before March that have a known end.
        auc_in_sample: area under the ROC curve on the rows the model learnt from.
        auc_out_of_fold: the same with whole days held out, the honest one.
        importance: feature -> by how much log loss rises without it, on the days held out; 0 where it does not rise.
    """

    model: HistGradientBoostingClassifier
    year: pa.Table
    reference: pa.Table
    auc_in_sample: float
    auc_out_of_fold: float
    importance: dict[str, float]


def train_and_score(flights: pa.Table) -> Scored:
    """Train on January and February and score every flight of the year.

    Args:
        flights: as `load_flights` returns them.

    """
    # OpenMP's threads wait for one another by spinning: where the cores are shared (a stack starts meanwhile,
    # a CI machine is full) two of them took 68 s for what one does in 4.
    with threadpool_limits(1):
        return _scored(flights)


def _scored(flights: pa.Table) -> Scored:
    features = matrix(flights)
    times = pc.cast(flights["event_time"], pa.int64()).to_numpy()
    known = pc.is_valid(flights["target"]).to_numpy()
    target = pc.fill_null(pc.cast(flights["target"], pa.int8()), 0).to_numpy().astype(bool)
    early = times < TRAINED_UNTIL_MS
    learn = early & known
    model = fit(features[learn], target[learn])
    scores = model.predict_proba(features)[:, 1]
    in_sample = roc_auc_score(target[learn], scores[learn])
    fold = _folds(times // DAY_MS)
    rises = np.zeros(features.shape[1])
    rng = np.random.default_rng(SEED)
    for number in range(FOLDS):
        held = early & (fold == number)
        partial = fit(features[learn & ~held], target[learn & ~held])
        scores[held] = partial.predict_proba(features[held])[:, 1]
        rises += permutation_losses(partial, features[held & known], target[held & known], rng) / FOLDS
    year = flights.append_column("p_late", pa.array(scores))
    return Scored(
        model=model,
        year=year,
        reference=year.filter(pa.array(learn)),
        auc_in_sample=float(in_sample),
        auc_out_of_fold=float(roc_auc_score(target[learn], scores[learn])),
        importance={
            name: round(max(float(rise), 0.0), 4)
            for name, rise in zip((*NUMBERS, *LEVELS), rises, strict=True)
        },
    )


def _folds(days: NDArray[np.int64]) -> NDArray[np.int64]:
    """Deal whole days to folds: the rows of a day share their weather, and half a day would tell the rest."""
    distinct, which = np.unique(days, return_inverse=True)
    dealt = np.random.default_rng(SEED).permutation(len(distinct)) % FOLDS
    return dealt[which]


def fit(
    features: NDArray[Any], target: NDArray[np.bool_], learning_rate: float = 0.1
) -> HistGradientBoostingClassifier:
    """Train the model on rows of `matrix` and whether each was late."""
    categorical = [index >= len(NUMBERS) for index in range(features.shape[1])]
    model = HistGradientBoostingClassifier(
        learning_rate=learning_rate, max_iter=100, categorical_features=categorical, random_state=SEED
    )
    return model.fit(features, target)


def columns_of(flights: pa.Table) -> dict[str, NDArray[Any]]:
    """Give the inputs of the model by name: float64, NaN where the weather is not known; texts."""
    found: dict[str, NDArray[Any]] = {
        name: pc.fill_null(flights[name], float("nan")).to_numpy() for name in NUMBERS
    }
    return found | {name: np.array(flights[name].to_pylist(), object) for name in LEVELS}


def matrix(flights: pa.Table) -> NDArray[Any]:
    """Give the inputs as objects, (rows, features): the model itself makes codes of texts."""
    return np.stack([column.astype(object) for column in columns_of(flights).values()], axis=1)
