"""The demo's year of flights and its model, trained once for all tests of a process."""

from __future__ import annotations

from functools import cache

import pyarrow as pa

from driftline.deploy.demo.flights import load_flights
from driftline.deploy.demo.model import Scored, train_and_score


@cache
def flown() -> pa.Table:
    """Read the year."""
    return load_flights()


@cache
def scored() -> Scored:
    """Train the model and score the year."""
    return train_and_score(flown())
