"""How much the demo's model leans on each feature, on days that it has not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from driftline.streams.stats.losses import log_loss_terms

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sklearn.ensemble import HistGradientBoostingClassifier

ROWS: Final = 2_000
"""Rows of each held-out part that are looked at: twelve features of five parts are then told within a second."""


def permutation_losses(
    model: HistGradientBoostingClassifier,
    features: NDArray[Any],
    target: NDArray[np.bool_],
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Give by how much log loss rises when one feature's values are dealt to other rows, a feature at a time.

    Permutation importance (Breiman 2001, "Random Forests"); a feature that only looks useful in training gains nothing.

    Args:
        model: as `driftline.deploy.demo.model.fit` trains it.
        features: (n, features), of rows that it has not learnt from; at most `ROWS` of them are looked at.
        target: (n,).
        rng: deals the values.

    Returns:
        float64 (features,); around 0, or a little below, for a feature that says nothing.
    """
    chosen = rng.permutation(len(target))[:ROWS]
    rows, truth = features[chosen], target[chosen].astype(np.int64)
    shuffled = np.repeat(rows[None], features.shape[1] + 1, axis=0)
    for number in range(features.shape[1]):
        shuffled[number, :, number] = rng.permutation(rows[:, number])
    scores = model.predict_proba(shuffled.reshape(-1, features.shape[1]))[:, 1].reshape(len(shuffled), -1)
    losses = np.array([log_loss_terms(each, truth).mean() for each in scores])
    rises: NDArray[np.float64] = losses[:-1] - losses[-1]
    return rises
