"""The kernel: update of all counters, against `np.sum` over the same bytes and against peers on the same rows.

25 features: 20 numeric ones as float32 and 5 categorical ones of 12 levels as int32 codes. `np.sum` is taken of each
array of the batch as it lies in memory. The peers do what is nearest with 100,000 rows: Evidently PSI of every
column; NannyML the distances that driftline gives (and, told beside, Jensen-Shannon alone); whylogs its profile.
driftline counts the rows and computes every figure with its verdict. All times are CPU seconds of the process.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from environments import called, environment

from driftline.schemas.columns import Category, NumericBlock, PredictionColumns
from driftline.streams.windows.counters import Counters
from driftline.streams.windows.judge import judge
from driftline.streams.windows.layout import Layout
from driftline.streams.windows.profiling import build_profile
from driftline.streams.windows.resolution import Resolution

NUMERIC = tuple(f"n{at:02}" for at in range(20))
LEVELS = tuple(f"level-{at}" for at in range(12))
CATEGORICAL = tuple(f"c{at}" for at in range(5))
REFERENCE_ROWS = 20_000
CURRENT_ROWS = 100_000
ROUNDS = 15
PEER_ROUNDS = 3
# Environment, what it is asked, and whether that is comparable with all of driftline's figures.
PEERS = (
    ("evidently", "", True),
    ("nannyml", "", True),
    ("nannyml", "jensen-shannon", False),
    ("whylogs", "", True),
)
TARGET_SUM = 0.12
TARGET_PEERS = 50.0


def batch(draw: np.random.Generator, rows: int) -> PredictionColumns:
    """Make a batch of half normal, half skewed and counted numbers, and of levels."""
    values = draw.normal(size=(len(NUMERIC), rows))
    values[10:15] = np.exp(values[10:15])
    values[15:] = draw.poisson(6, (5, rows))
    codes = draw.integers(0, len(LEVELS), (len(CATEGORICAL), rows)).astype(np.int32)
    return PredictionColumns(
        deployment="bench",
        model_version="1",
        slot="champion",
        rows=rows,
        identity=None,
        ids=np.zeros((rows, 16), np.uint8),
        original_ids=None,
        times_ms=np.arange(rows, dtype=np.int64),
        features=[NumericBlock(NUMERIC, values.astype(np.float32))],
        categories=[Category(name, LEVELS, line) for name, line in zip(CATEGORICAL, codes, strict=True)],
    )


def run(context: Any) -> list[dict[str, Any]]:
    """Measure the kernel."""
    draw = np.random.default_rng(20)
    reference = batch(draw, REFERENCE_ROWS)
    profile = build_profile([reference], rng=draw, created_at_ms=0)
    layout = Layout(profile)
    floats = Layout(build_profile([_floats(reference)], rng=draw, created_at_ms=0))
    rows = []
    for size, count in ((65_536, 4), (500, 256)):
        batches = [batch(draw, size) for _ in range(count)]
        name = f"{size:,} rows a batch, against np.sum"
        rows.append(_against_sum(f"kernel: 25 features, {name}", layout, batches, TARGET_SUM))
        alone = [_floats(cols) for cols in batches]
        rows.append(_against_sum(f"kernel: 20 floats alone, {name}", floats, alone, None))
    current = [batch(draw, 50_000) for _ in range(CURRENT_ROWS // 50_000)]

    def ours() -> float:
        counters = Counters(layout)
        began = time.process_time()
        for cols in current:
            counters.fold(cols)
        judge(profile, counters, Resolution("1d"))
        return CURRENT_ROWS / (time.process_time() - began)

    return rows + _against_peers(context, reference, current, ours)


def _floats(cols: PredictionColumns) -> PredictionColumns:
    return PredictionColumns(
        cols.deployment,
        cols.model_version,
        cols.slot,
        cols.rows,
        None,
        cols.ids,
        None,
        cols.times_ms,
        cols.features,
    )


def _against_sum(
    name: str, layout: Layout, batches: list[PredictionColumns], target: float | None
) -> dict[str, Any]:
    counters = Counters(layout)

    def fold() -> None:
        for cols in batches:
            counters.fold(cols)

    def add_up() -> None:
        for cols in batches:
            for block in cols.features:
                np.sum(block.values)
            for category in cols.categories:
                np.sum(category.codes)

    fold()
    add_up()
    rows = sum(cols.rows for cols in batches)
    pairs = [(_rate(rows, fold), _rate(rows, add_up)) for _ in range(ROUNDS)]
    ratio = median(mine / sums for mine, sums in pairs)
    return {
        "name": name,
        "value": round(median(mine for mine, _ in pairs)),
        "unit": "rows/CPU s",
        "baseline": round(median(sums for _, sums in pairs)),
        "ratio": round(ratio, 3),
        "target": target,
        "reached": None if target is None else ratio >= target,
    }


def _rate(rows: int, work: Callable[[], None]) -> float:
    began = time.process_time()
    work()
    return rows / (time.process_time() - began)


def _against_peers(
    context: Any,
    reference: PredictionColumns,
    current: list[PredictionColumns],
    ours: Callable[[], float],
) -> list[dict[str, Any]]:
    """Measure each peer in an environment of its own; the target is against the fastest that could be run."""
    folder: Path = context.folder
    for name, batches in (("reference", [reference]), ("current", current)):
        numbers = np.concatenate([cols.features[0].values for cols in batches], axis=1)
        codes = np.concatenate([np.stack([c.codes for c in cols.categories]) for cols in batches], axis=1)
        np.savez(folder / f"{name}.npz", numbers=numbers, codes=codes)
    rows: list[dict[str, Any]] = []
    comparable: list[dict[str, Any]] = []
    for peer, asked, is_comparable in PEERS:
        try:
            python = environment(context, peer)
            pairs = [(_ours(ours), _peer(python, peer, folder, asked)) for _ in range(PEER_ROUNDS)]
        except RuntimeError as error:
            rows.append({"name": f"kernel: {peer} could not be run: {str(error)[:80]}"})
            continue
        row: dict[str, Any] = {
            "name": f"kernel: all figures, against {peer} {asked}".strip(),
            "value": round(median(mine for mine, _ in pairs)),
            "unit": "rows/CPU s",
            "baseline": round(median(theirs for _, theirs in pairs)),
            "ratio": round(median(mine / theirs for mine, theirs in pairs), 1),
        }
        rows.append(row)
        if is_comparable:
            comparable.append(row)
    if comparable:
        row = min(comparable, key=lambda row: float(row["ratio"]))
        reached = float(row["ratio"]) >= TARGET_PEERS
        rows.append(row | {"name": "kernel: the fastest peer", "target": TARGET_PEERS, "reached": reached})
    return rows


def _ours(work: Callable[[], float]) -> float:
    """Give the median of several runs of ours: one takes a hundredth of a peer's time."""
    return median(work() for _ in range(9))


def _peer(python: Path, peer: str, folder: Path, asked: str) -> float:
    """Run a peer's script once; give its rows a CPU second."""
    script = Path(__file__).with_name("peers") / f"run_{peer}.py"
    printed = called([str(python), str(script), str(folder), asked])
    return float(json.loads(printed.strip().splitlines()[-1])["rows_per_s"])
