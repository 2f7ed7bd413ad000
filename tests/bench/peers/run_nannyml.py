"""NannyML, fitted on the reference before: the figures driftline gives, or Jensen-Shannon alone."""

from __future__ import annotations

import sys

from nannyml import UnivariateDriftCalculator
from table import CATEGORICAL, NUMERIC, frame, measure

current = frame("current")
alone = "jensen-shannon" in sys.argv
more = [] if alone else ["kolmogorov_smirnov", "wasserstein", "hellinger"]
more_levels = [] if alone else ["chi2", "hellinger"]
calculator = UnivariateDriftCalculator(
    column_names=NUMERIC + CATEGORICAL,
    treat_as_categorical=CATEGORICAL,
    continuous_methods=["jensen_shannon", *more],
    categorical_methods=["jensen_shannon", *more_levels],
    chunk_size=len(current),
)
calculator.fit(frame("reference"))
calculator.calculate(current.head(2000))
measure(len(current), lambda: calculator.calculate(current))
