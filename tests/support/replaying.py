"""Traffic of one deployment with every kind of column, and what is published of it, decoded."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from counting import batch, profile_of

from driftline.agents.emit import Emitter
from driftline.deploy.cli import main
from driftline.schemas.profile import Profile
from driftline.schemas.settings import Settings
from driftline.streams.clickhouse import reads
from driftline.streams.join.outcomes import Outcomes
from driftline.streams.join.outcomes_bytes import unpack
from driftline.streams.windows.counters import Counters
from driftline.streams.windows.layout import Layout

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
Place = tuple[str, int]
"""Resolution and start in ms."""


def reference(seed: int, version: str = "1", *, rows: int = 2_000, resolutions: tuple[str, ...]) -> Profile:
    """A profile of two numeric features, a category, a score and a class; other seeds give other bins."""
    draw = np.random.default_rng(seed)
    table = batch(
        {"age": draw.normal(40, 12, rows), "income": draw.lognormal(10, 1, rows)},
        {"colour": draw.choice(["red", "green", "blue"], rows).tolist()},
        dtype="float32",
        scores={"score": draw.random(rows)},
        predicted=draw.choice(["0", "1"], rows).tolist(),
    )
    profile = profile_of(table, provenance="held-out", has_times=False, resolutions=resolutions)
    return replace(profile, model_version=version)


class Traffic:
    """Predictions in the order of their event times, and labels of some of them; in all hours of a day, or in some."""

    def __init__(
        self,
        settings: Settings,
        start_ms: int,
        days: int,
        rows: int,
        seed: int = 7,
        *,
        hours: Sequence[int] = range(24),
    ) -> None:
        self.draw = np.random.default_rng(seed)
        self.start_ms = start_ms
        passed = np.sort(self.draw.integers(0, days * len(hours) * HOUR_MS, rows))
        day, hour = np.divmod(passed // HOUR_MS, len(hours))
        self.at = start_ms + day * DAY_MS + np.array(hours)[hour] * HOUR_MS + passed % HOUR_MS
        self.ids = [f"id-{row}" for row in range(rows)]
        self.score = self.draw.random(rows).astype(np.float32)
        self.features: dict[str, np.ndarray] = {
            "age": self.draw.normal(45, 10, rows),
            "income": self.draw.lognormal(10, 1.5, rows),
            "colour": self.draw.choice(["red", "green", "violet"], rows).astype(object),
        }
        self.features["age"][::17] = np.nan
        self.features["colour"][::13] = None
        self.emitter = Emitter("churn", "1", settings=settings, categorical={"colour"})

    def send(self, rows: slice | np.ndarray = slice(None)) -> None:
        """Send predictions."""
        self.emitter.log_many(
            {name: column[rows] for name, column in self.features.items()},
            {"score": self.score[rows]},
            predicted=[str(int(one > 0.4)) for one in self.score[rows]],
            at=self.at[rows],
            ids=np.array(self.ids, object)[rows].tolist(),
        )

    def label(self, rows: slice, *, after_ms: int = 1_000, value: int | None = None) -> int:
        """Label some rows, by chance or with one value; returns how many."""
        chosen = range(len(self.ids))[rows]
        for row in chosen:
            truth = int(self.draw.random() < self.score[row]) if value is None else value
            self.emitter.label(self.ids[row], truth, known_at=int(self.at[row]) + after_ms)
        return len(chosen)

    def close(self) -> None:
        """Wait until all is delivered."""
        self.emitter.flush(180)
        self.emitter.close()
        assert not self.emitter.stats().dropped


def counters(settings: Settings, layout: Layout, run: str) -> dict[Place, Counters]:
    """Drift's counters of every window of a run."""
    found = reads.window_counts(settings, "churn", reads.WindowFilter(run=run))
    return {_place(row): Counters.from_bytes(layout, row["counts"]) for row in found}


def outcomes(settings: Settings, run: str) -> dict[Place, Outcomes]:
    """Accuracy's outcomes of every window of a run."""
    found = reads.window_counts(settings, "churn", reads.WindowFilter(run=run, role="accuracy"))
    return {_place(row): unpack(row["counts"]) for row in found}


def rows_of(settings: Settings, run: str, role: str, resolution: str = "1d") -> dict[int, dict[str, Any]]:
    """Windows of a run by their start, without figures."""
    chosen = reads.WindowFilter(run=run, role=role, resolution=resolution)
    return {_place(row)[1]: row for row in reads.window_counts(settings, "churn", chosen)}


def command(env: dict[str, str], folder: Path, *words: str) -> dict[str, Any]:
    """Run a command with `--json` and give its one object."""
    code, out, err = _said(env, folder, *words, "--json")
    assert code == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


def refusal(env: dict[str, str], folder: Path, *words: str) -> str:
    """Run a command that must fail with one line on stderr, and give that line."""
    code, out, err = _said(env, folder, *words)
    assert code in (1, 2), out
    assert err.count("\n") == 1, err
    return err.strip()


def _said(env: dict[str, str], folder: Path, *words: str) -> tuple[int, str, str]:
    """Run a command in this process, which has imported and compiled what each new one would; code, stdout, stderr."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.chdir(folder)
        for name, value in env.items():
            patch.setenv(name, value)
        code = main(words)
    return code, out.getvalue(), err.getvalue()


def _place(row: dict[str, Any]) -> Place:
    return str(row["resolution"]), round(row["window_start"].timestamp() * 1000)
