"""Predicted: the class that an answer gives, whether its event names it or its scores do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from driftline.streams.join.scheme import UNKNOWN

if TYPE_CHECKING:
    from driftline.streams.join.scheme import Scheme


def predicted_classes(
    scheme: Scheme, said: NDArray[np.int64], scores: NDArray[np.floating]
) -> NDArray[np.int64]:
    """Give the class that each answer says: the one its event carries, else what its scores say.

    Args:
        scheme: of the model version.
        said: int64 (n,), the class that the event carries or `UNKNOWN`.
        scores: (S, n); of a binary task the one is cut at the threshold, of classes the greatest counts, the first
            of equals.

    Returns:
        int64 (n,); `UNKNOWN` for an answer without a class and without finite scores.
    """
    if not len(scores) or (said != UNKNOWN).all():
        return said
    # In float64, so that what is taken out later falls on the same side of the threshold.
    found = scores.astype(np.float64)
    usable = ~np.isnan(found).any(axis=0)
    told = (found[0] > scheme.threshold).astype(np.int64) if scheme.task == "binary" else found.argmax(axis=0)
    return np.where((said == UNKNOWN) & usable, told, said)


def answer_shapes(scheme: Scheme) -> tuple[tuple[int, int], tuple[int, int, int]]:
    """Shapes of what is counted for an estimate of many classes; empty without a calibration."""
    found = scheme.calibration
    if found is None:
        return (0, 0), (2, 0, 0)
    size = found.classes if found.tables else 0
    return (len(found.top), len(found.top_edges) + 1), (2, size, size)
