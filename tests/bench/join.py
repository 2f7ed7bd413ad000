"""The join: labels a second that find their predictions among ten million held, and what each of those takes.

One shard is driven from memory as the worker drives it: batches of 500 labels, decoded before, and a publication of
what is due after every 3 million, which is what 300,000 a second come to in the 10 s between two publications; results
are packed and dropped. Predictions lie in ten cells of a day, and labels come for all of them in random order, as
labels that are late do. Beside it the same with a publication every 100,000 labels: 10,000 a second.

The baseline promises nothing: ids of as many labels sorted and looked up in one sorted array of ten million keys, in as
large pieces as the join settles, with no label in force, no sums and no windows.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from driftline.schemas.columns import LabelColumns, NumericBlock, PredictionColumns
from driftline.schemas.deployment import DeploymentSettings
from driftline.streams.join.keys import keys_of
from driftline.streams.join.scheme import Scheme
from driftline.streams.join.shard import Shard
from driftline.streams.join.terms import Terms
from driftline.streams.windows.rules import Rules

if TYPE_CHECKING:
    from collections.abc import Iterator

PREDICTIONS: Final = 10_000_000
LABELS: Final = 6_000_000
DAYS: Final = 10
ROWS: Final = 500
LOADED: Final = 50_000
PIECE: Final = 3_000_000
DAY_MS: Final = 86_400_000
START_MS: Final = 1_750_032_000_000
TARGET_A_SECOND: Final = 300_000
TARGET_BYTES: Final = 40
SCHEME: Final = Scheme("ab" * 32, "binary", ("0", "1"), ("score",), edges=np.linspace(0, 1, 513)[1:-1])
TERMS: Final = Terms(DeploymentSettings(deployment="bench"), scheme=SCHEME)


class OneModel:
    """One binary model, counted by days."""

    def terms(self, _deployment: str, _version: str, _at_ms: int) -> Terms:
        """What always holds."""
        return TERMS

    def resolutions(self, _deployment: str, _version: str) -> tuple[str, ...]:
        """Days, and the weeks and months that they make."""
        return ("1d",)


def run(context: Any) -> list[dict[str, Any]]:
    """Measure; neither a folder nor a stack is needed."""
    del context
    draw = np.random.default_rng(8)
    ids = draw.integers(0, 256, (PREDICTIONS, 16), dtype=np.uint8)
    order = draw.permutation(PREDICTIONS)[:LABELS]
    bare = looked_up(ids, order)
    shard = loaded(draw, ids)
    held = sum(cell.nbytes for hot in shard.hots.values() for cell in hot.cells.values()) / PREDICTIONS
    live = joined(shard, labels(draw, ids, order), every=PIECE)
    del shard
    often = joined(loaded(draw, ids), labels(draw, ids, order), every=100_000)
    return [
        row("join: labels, 10 million predictions held", live, bare, TARGET_A_SECOND),
        row("join: labels, published every 100,000", often, bare, None),
        {
            "name": "join: a prediction held",
            "value": round(held, 1),
            "unit": "bytes",
            "target": TARGET_BYTES,
            "reached": held <= TARGET_BYTES,
        },
    ]


def loaded(draw: np.random.Generator, ids: np.ndarray) -> Shard:
    """Give a shard that holds all predictions, published once."""
    shard = Shard(0, OneModel(), Rules(held_bytes=1 << 40, hot_windows=2 * DAYS))
    for offset, at in enumerate(range(0, len(ids), LOADED)):
        times = START_MS + np.arange(at, at + LOADED, dtype=np.int64) * (DAYS * DAY_MS) // len(ids)
        scores = [NumericBlock(("score",), draw.random((1, LOADED), dtype=np.float32))]
        cols = PredictionColumns(
            "bench", "1", "champion", LOADED, None, ids[at : at + LOADED], None, times, scores=scores
        )
        shard.take_predictions(offset, cols, 0)
    published(shard)
    return shard


def labels(draw: np.random.Generator, ids: np.ndarray, order: np.ndarray) -> Iterator[list[LabelColumns]]:
    """Give the batches of labels, some thousand at a time."""
    known = np.full(ROWS, START_MS + DAYS * DAY_MS, np.int64)
    for at in range(0, len(order), 1_000 * ROWS):
        wanted = ids[order[at : at + 1_000 * ROWS]]
        yield [
            LabelColumns(
                "bench",
                ROWS,
                None,
                wanted[row : row + ROWS],
                None,
                known,
                numbers=draw.integers(0, 2, ROWS).astype(np.float64),
            )
            for row in range(0, len(wanted), ROWS)
        ]


def joined(shard: Shard, batches: Iterator[list[LabelColumns]], every: int) -> tuple[float, float]:
    """Take all labels and publish; (labels a second, labels a CPU-second).

    Args:
        shard: with the predictions.
        batches: of labels; making them is not measured.
        every: labels between two publications.
    """
    wall = cpu = 0.0
    rows = since = offset = 0
    for some in batches:
        for cols in some:
            began, used = time.perf_counter(), time.process_time()
            shard.take_labels(offset, cols, 0)
            since, rows, offset = since + cols.rows, rows + cols.rows, offset + 1
            if since >= every:
                published(shard)
                since = 0
            wall, cpu = wall + time.perf_counter() - began, cpu + time.process_time() - used
    began, used = time.perf_counter(), time.process_time()
    published(shard)
    wall, cpu = wall + time.perf_counter() - began, cpu + time.process_time() - used
    outcomes = shard.hots["bench"].outcomes
    found = sum(outcomes.counts(key)[1] for key in outcomes)
    assert found == rows, f"{found} of {rows} labels were joined"
    return rows / wall, rows / cpu


def published(shard: Shard) -> None:
    """Publish what is due, as the worker does."""
    for result in shard.results(0):
        result.to_bytes()
    shard.commit()


def looked_up(ids: np.ndarray, order: np.ndarray) -> float:
    """Look as many ids up in one sorted array of all keys; look-ups a CPU-second."""
    key = np.sort(keys_of(ids)[0])
    used = time.process_time()
    found = 0
    for at in range(0, len(order), PIECE):
        wanted = np.sort(keys_of(ids[order[at : at + PIECE]])[0])
        place = np.searchsorted(key, wanted)
        found += int((key[np.minimum(place, len(key) - 1)] == wanted).sum())
    assert found == len(order)
    return found / (time.process_time() - used)


def row(name: str, measured: tuple[float, float], bare: float, target: int | None) -> dict[str, Any]:
    """Give one speed; judged by CPU seconds, which compare on a machine that does other work."""
    print(f"   {name}: {measured[0]:,.0f} labels a second of wall time", flush=True)
    return {
        "name": name,
        "value": round(measured[1]),
        "unit": "labels/CPU s",
        "baseline": round(bare),
        "ratio": round(measured[1] / bare, 3),
        "target": target,
        "reached": None if target is None else measured[1] >= target,
    }
