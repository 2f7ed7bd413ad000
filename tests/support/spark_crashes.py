"""Run by Spark's own Python: the job of deploy/examples/spark, each of whose tasks fails once after its second part.

Usage: python spark_crashes.py TABLE SCORED --run TIME, with the job's folder on PYTHONPATH.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import score
from pyspark.sql import SparkSession
from pyspark.taskcontext import TaskContext

whole = score.scored


def crashing(frames: Iterator[Any], **given: Any) -> Iterator[Any]:
    """Score as the job does; the first attempt of a task ends in the middle, with what it sent delivered."""
    for number, part in enumerate(whole(frames, **given), 1):
        yield part
        if number == 2 and TaskContext.get().attemptNumber() == 0:
            raise RuntimeError("the executor is lost")


score.scored = crashing
SparkSession.builder.master("local[2,4]").getOrCreate()
score.main()
