"""whylogs: the profile of every column, its mergeable sketches."""

from __future__ import annotations

import whylogs
from table import frame, measure

current = frame("current")
whylogs.log(current.head(2000))
measure(len(current), lambda: whylogs.log(current))
