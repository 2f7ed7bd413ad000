"""Floors: how much worse a metric must be before that matters, and which metrics speak about which task."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

Task: TypeAlias = Literal["binary", "classes", "regression"]
Kind: TypeAlias = Literal["value", "fall", "rise"]

Limit = Annotated[
    float, msgspec.Meta(description="a number above 0, at most 100, and warn at most fail", gt=0, le=100)
]


class Floor(msgspec.Struct, frozen=True, kw_only=True):
    """What a figure must pass to warn and to fail; how it is meant is the `Kind` of its metric.

    `value`: the figure itself (PSI). `fall`: the reference less the figure, in the metric's own unit (AUC, F1,
    accuracy). `rise`: the figure over the reference, less 1 (log loss, Brier, RMSE, MAE): 0.05 is +5 %.
    """

    warn: Limit
    fail: Limit


class Metric(msgspec.Struct, frozen=True):
    """A metric that can have a floor: how the floor is meant, its default, tasks whose primary metric it can be."""

    kind: Kind
    floor: Floor
    tasks: tuple[Task, ...]


_FALL: Final = Floor(warn=0.03, fail=0.05)
_RISE: Final = Floor(warn=0.05, fail=0.10)

METRICS: Final[Mapping[str, Metric]] = MappingProxyType(
    {
        "psi": Metric("value", Floor(warn=0.1, fail=0.25), ()),
        "auc": Metric("fall", _FALL, ("binary",)),
        "average_precision": Metric("fall", _FALL, ("binary",)),
        "f1": Metric("fall", _FALL, ("binary",)),
        "macro_f1": Metric("fall", _FALL, ("classes",)),
        "accuracy": Metric("fall", _FALL, ("binary", "classes")),
        "balanced_accuracy": Metric("fall", _FALL, ("binary", "classes")),
        "log_loss": Metric("rise", _RISE, ("binary", "classes")),
        "brier": Metric("rise", _RISE, ("binary", "classes")),
        "rmse": Metric("rise", _RISE, ("regression",)),
        "mae": Metric("rise", _RISE, ("regression",)),
    }
)
"""Every metric that can have a floor."""

PRIMARY: Final[Mapping[Task, tuple[str, ...]]] = MappingProxyType(
    {"binary": ("auc", "log_loss"), "classes": ("macro_f1",), "regression": ("rmse",)}
)
"""What a task is judged by when nobody says it."""

LARGEST_FALL: Final = 1.0
"""Metrics that fall lie between 0 and 1."""
