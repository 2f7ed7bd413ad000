"""Statistics: arrays in, numbers out; no clock, no I/O.

One idea a module. The names below are those for a notebook; `compare` counts two tables as the stream would
and is loaded on first use, for it needs the kernel.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from driftline.streams.stats.chi2 import Chi2, chi2_statistic
from driftline.streams.stats.hellinger import hellinger
from driftline.streams.stats.js import js_distance
from driftline.streams.stats.ks import ks_bounds
from driftline.streams.stats.nulls import iid_null, moving_blocks, own_windows, threshold_of
from driftline.streams.stats.psi import psi
from driftline.streams.stats.verdict import Rule, decide
from driftline.streams.stats.wasserstein import w1_sigma

if TYPE_CHECKING:
    from driftline.streams.windows.comparison import Comparison, compare

__all__ = [
    "Chi2",
    "Comparison",
    "Rule",
    "chi2_statistic",
    "compare",
    "decide",
    "hellinger",
    "iid_null",
    "js_distance",
    "ks_bounds",
    "moving_blocks",
    "own_windows",
    "psi",
    "threshold_of",
    "w1_sigma",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a function or a class, whatever the name stands for
    """Load `compare` and `Comparison` on first use (PEP 562)."""
    if name not in {"Comparison", "compare"}:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module("driftline.streams.windows.comparison"), name)
