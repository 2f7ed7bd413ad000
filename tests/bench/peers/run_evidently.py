"""Evidently: PSI of every column, the preset people begin with."""

from __future__ import annotations

from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset
from table import CATEGORICAL, NUMERIC, frame, measure

definition = DataDefinition(numerical_columns=NUMERIC, categorical_columns=CATEGORICAL)
reference = Dataset.from_pandas(frame("reference"), data_definition=definition)
current = frame("current")
report = Report([DataDriftPreset(method="psi")])
report.run(Dataset.from_pandas(current.head(2000), data_definition=definition), reference)
measure(
    len(current),
    lambda: report.run(Dataset.from_pandas(current, data_definition=definition), reference),
)
