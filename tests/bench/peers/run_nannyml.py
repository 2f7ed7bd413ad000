"""NannyML: the Jensen-Shannon distance of every column, its fastest method; fitted on the reference before."""

from __future__ import annotations

from nannyml import UnivariateDriftCalculator
from table import CATEGORICAL, NUMERIC, frame, measure

current = frame("current")
calculator = UnivariateDriftCalculator(
    column_names=NUMERIC + CATEGORICAL,
    treat_as_categorical=CATEGORICAL,
    continuous_methods=["jensen_shannon"],
    categorical_methods=["jensen_shannon"],
    chunk_size=len(current),
)
calculator.fit(frame("reference"))
calculator.calculate(current.head(2000))
measure(len(current), lambda: calculator.calculate(current))
