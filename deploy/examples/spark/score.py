"""A Spark job that scores a table with `mapInPandas` and tells driftline of every prediction, once if tried again.

Usage: spark-submit score.py TABLE.parquet SCORED.parquet --run 2013-01-02T00:00:00+00:00

The table has `customer`, `time` (UTC), `age` and `income`. Kafka's address and credentials are driftline's settings, in
the environment of the executors (DRIFTLINE_KAFKA_BOOTSTRAP and the like).

Spark tries a task again when it fails, and may run one twice. What makes the second one the same to driftline:

1. rows of a partition come in one order (`sortWithinPartitions`), so they are cut into the same parts;
2. each part is followed by `flush`, so each part is one batch, numbered from 0;
3. the Emitter has a name and a number of its own for this partition of this run, not for the process.

A batch with a name, number and sequence that readers have seen is left out. So is the whole job when it is run again.
"""

from __future__ import annotations

import argparse
import datetime as dt
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pandas as pd
from pyspark.sql import SparkSession
from pyspark.taskcontext import TaskContext

from driftline.agents.emit import Emitter

PARTITIONS = 4
ROWS_A_PART = 500
DELIVERED_WITHIN_S = 60.0
SCORED = "customer string, time timestamp, score double"


def score(rows: pd.DataFrame) -> pd.Series:
    """The model: give the probability for each row."""
    return 1 / (1 + np.exp(3 - rows["age"] / 20 - rows["income"] / 50_000))


def scored(frames: Iterator[pd.DataFrame], run: int, number: Callable[[], int]) -> Iterator[pd.DataFrame]:
    """Score one partition, and tell of each part before it is given on.

    Args:
        frames: its rows, in the order in which they would come again.
        run: of this job, the same when it is tried again.
        number: says which partition this is.
    """
    with Emitter(
        "credit", "7", instance=f"spark-credit.{number()}", epoch=run, batch_rows=ROWS_A_PART
    ) as emitter:
        for frame in frames:
            for start in range(0, len(frame), ROWS_A_PART):
                rows = frame.iloc[start : start + ROWS_A_PART]
                scores = score(rows)
                emitter.log_many(
                    {"age": rows["age"].to_numpy(), "income": rows["income"].to_numpy()},
                    scores.to_numpy(),
                    # An id of the application's own is what a label is told by later.
                    ids=[f"{customer}@{run}" for customer in rows["customer"]],
                    # The window is that of the event, not of the job.
                    at=rows["time"].to_numpy("datetime64[ms]").astype(np.int64),
                )
                if not emitter.flush(DELIVERED_WITHIN_S):
                    raise TimeoutError(f"Kafka took no predictions within {DELIVERED_WITHIN_S:.0f} s")
                yield rows[["customer", "time"]].assign(score=scores)
        dropped = emitter.stats().total.dropped
        if dropped:
            raise ValueError(f"predictions that cannot travel: {dropped}")


def main() -> None:
    """Score a table and write the scores."""
    parser = argparse.ArgumentParser()
    parser.add_argument("table")
    parser.add_argument("out")
    parser.add_argument(
        "--run", type=dt.datetime.fromisoformat, required=True, help="the time the run is for"
    )
    given = parser.parse_args()
    run = round(given.run.timestamp() * 1_000_000)
    spark = SparkSession.builder.appName("credit").config("spark.sql.session.timeZone", "UTC").getOrCreate()
    rows = (
        spark.read.parquet(given.table)
        .repartition(PARTITIONS, "customer")
        .sortWithinPartitions("customer", "time")
    )
    told = partial(scored, run=run, number=lambda: TaskContext.get().partitionId())
    rows.mapInPandas(told, SCORED).write.mode("overwrite").parquet(given.out)
    spark.stop()


if __name__ == "__main__":
    main()
