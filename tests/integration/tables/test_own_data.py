"""A person's own table through the whole road, by the command line alone, in an empty directory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pytest
from pyarrow import compute as pc
from pyarrow import csv
from pyarrow import parquet as pq
from rig import settle

LATE_ROWS = 600  # of the same version, by an earlier test
ROWS = 50_000
DAY_MS = 86_400_000
START_MS = 1_735_689_600_000
"""2025-01-01 00:00 UTC."""
REFERENCE_DAYS, DAYS = 30, 40
QUICK = {
    "DRIFTLINE_WORKER_PUBLISH_SECONDS": "1",
    "DRIFTLINE_WORKER_CHECKPOINT_SECONDS": "1",
    "DRIFTLINE_WORKER_IDLE_SECONDS": "2",
}

Command = Callable[..., "subprocess.CompletedProcess[str]"]


def make_table() -> pa.Table:
    """Make 40 days with ties, nulls, integers past 2^24 and levels; income and region shift after 30."""
    rng = np.random.default_rng(11)
    times = np.sort(rng.integers(START_MS, START_MS + DAYS * DAY_MS, ROWS))
    late = times >= START_MS + REFERENCE_DAYS * DAY_MS
    income = np.round(rng.lognormal(3, 0.4, ROWS) * np.where(late, 1.5, 1.0), 2)
    region = rng.choice(np.array(["north", "south", "east"]), ROWS)
    region[late & (rng.random(ROWS) < 0.2)] = "west"
    return pa.table(
        {
            "event_time": pa.array(times, pa.timestamp("ms", tz="UTC")),
            "request_id": [f"r{number}" for number in range(ROWS)],
            "income": pa.array(income, mask=rng.random(ROWS) < 0.05),
            "children": rng.integers(0, 4, ROWS),
            "account": rng.integers(2**40, 2**40 + 10**6, ROWS) * 3 + 1,
            "region": pa.array(region.tolist(), mask=rng.random(ROWS) < 0.02),
            "member": rng.random(ROWS) < 0.3,
            "constant": np.ones(ROWS, np.int64),
            "score": rng.beta(2, 5, ROWS),
            "target": rng.integers(0, 2, ROWS),
        }
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty directory with two tables: what the model knew, and what came after it."""
    folder = tmp_path_factory.mktemp("own")
    table = make_table()
    known = pc.less(pc.cast(table["event_time"], pa.int64()), START_MS + REFERENCE_DAYS * DAY_MS)
    pq.write_table(table.filter(known), folder / "reference.parquet")
    pq.write_table(table, folder / "all.parquet")
    return folder


@pytest.fixture(scope="module")
def driftline(home: Path) -> Iterator[Command]:
    """The command line in that directory, with a stack that is up."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "driftline.deploy.cli", *words]
        env = {**os.environ, **QUICK, "COLUMNS": "120"}
        return subprocess.run(
            command, cwd=home, env=env, capture_output=True, text=True, timeout=200, check=False
        )

    up = run("up", "--detach")
    assert up.returncode == 0, up.stderr
    yield run
    run("down")


def ok(done: subprocess.CompletedProcess[str]) -> str:
    """Give the output of a command that must have gone well."""
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """Hold that a command failed in one sentence with these words."""
    assert done.returncode == 1, done.stdout
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("driftline: ")
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in last


def test_the_streamed_psi_is_that_of_ten_lines_of_numpy(driftline: Command, home: Path) -> None:
    """Build, publish, emit, windows: each PSI equals numpy's on the values as they travel."""
    named = ("--deployment", "credit", "--version", "3")
    built = ok(driftline("profile", "build", "reference.parquet", *named, "--scores", "held-out"))
    assert "constant" in built
    ok(driftline("profile", "publish", *named))
    sent = json.loads(ok(driftline("emit", "all.parquet", *named, "--json")))
    assert sent["emitter"]["delivered"] == sent["stored"] == ROWS
    assert sent["complete"]
    lines = ok(driftline("windows", "credit", "--resolution", "1d", "--json")).splitlines()
    figures = [json.loads(line) for line in lines]
    found = {
        (figure["feature"], figure["window_start"][:10]): figure["value"]
        for figure in figures
        if figure["metric"] == "psi" and figure["verdict"] is not None
    }
    expected = by_hand(pq.read_table(home / "reference.parquet"), pq.read_table(home / "all.parquet"))
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, rel=1e-9), key


def by_hand(reference: pa.Table, current: pa.Table) -> dict[tuple[str, str], float]:
    """Give PSI by (feature, day), in numpy alone."""
    day = pc.cast(current["event_time"], pa.int64()).to_numpy() // DAY_MS
    found = {}
    for name in ("income", "children", "account", "score", "region", "member"):
        travels = np.float64 if name == "account" else np.float32
        known, new = binned(reference[name], current[name], travels)
        for number in np.unique(day):
            p = np.bincount(new[(day == number) & (new >= 0)], minlength=known.max() + 2).astype(float)
            q = np.bincount(known[known >= 0], minlength=len(p)).astype(float)
            p, q = np.maximum(p / p.sum(), 1e-4), np.maximum(q / q.sum(), 1e-4)
            found[name, str(np.datetime64(int(number), "D"))] = float(np.sum((p - q) * np.log(p / q)))
    return found


def binned(
    reference: pa.ChunkedArray, current: pa.ChunkedArray, travels: type
) -> tuple[np.ndarray, np.ndarray]:
    """Give PSI bins, -1 for null: deciles of the reference, or its levels and one for the unseen."""
    if pa.types.is_string(reference.type) or pa.types.is_boolean(reference.type):
        levels = pc.unique(pc.drop_null(reference))
        codes = [
            pc.fill_null(pc.index_in(one, value_set=levels), len(levels)) for one in (reference, current)
        ]
        return tuple(
            np.where(pc.is_null(one).to_numpy(), -1, code.to_numpy())
            for one, code in zip((reference, current), codes, strict=True)
        )
    values = [
        pc.fill_null(pc.cast(one, pa.float64()), np.nan).to_numpy().astype(travels)
        for one in (reference, current)
    ]
    edges = np.unique(np.quantile(values[0][~np.isnan(values[0])], np.arange(1, 10) / 10))
    return tuple(np.where(np.isnan(one), -1, np.searchsorted(edges, one, "left")) for one in values)


def test_verdicts_say_what_shifted(driftline: Command) -> None:
    """Income fails on every day after the shift and on none before; what did not shift never fails."""
    lines = ok(driftline("windows", "credit", "--resolution", "1d", "--json")).splitlines()
    verdicts = [one for one in map(json.loads, lines) if one["metric"] == "psi" and one["verdict"] == "fail"]
    shifted = f"{np.datetime64(START_MS + REFERENCE_DAYS * DAY_MS, 'ms').astype('datetime64[D]')}"
    assert {one["feature"] for one in verdicts} >= {"income", "region"}
    assert all(one["window_start"][:10] >= shifted for one in verdicts)
    assert not {"children", "account", "member"} & {one["feature"] for one in verdicts}


def test_publishing_again_is_harmless_and_another_profile_is_refused(driftline: Command, home: Path) -> None:
    """The same profile twice changes nothing; a different one for the version is refused in one sentence."""
    named = ("--deployment", "credit", "--version", "3")
    assert "nothing to do" in ok(driftline("profile", "publish", *named))
    ok(driftline("profile", "build", "all.parquet", *named, "--scores", "held-out", "--out", "other.profile"))
    refused(
        driftline("profile", "publish", "other.profile"),
        "credit 3 already has another profile",
        "new version",
    )
    shown = json.loads(ok(driftline("profile", "show", *named, "--json")))
    assert shown["rows"] == pq.read_metadata(home / "reference.parquet").num_rows


def test_a_csv_without_times_and_without_a_profile_is_counted_now(driftline: Command, home: Path) -> None:
    """Rows without a time happen now; without a profile they are stored and counted all the same."""
    csv.write_csv(
        pq.read_table(home / "all.parquet").slice(0, 500).drop_columns(["event_time"]), home / "t.csv"
    )
    words = ("t.csv", "--deployment", "new", "--version", "1", "--json")
    refused(driftline("emit", *words), "no profile is published for deployment 'new'", "--without-profile")
    sent = json.loads(ok(driftline("emit", *words, "--without-profile", "--rate", "250")))
    assert sent["seconds"] >= 1.9
    assert sent["complete"]
    assert sent["stored"] == 500
    assert sent["counted"] == {"5m": 500, "1h": 500, "1d": 500}


def test_rows_that_come_too_late_are_said_to_be(driftline: Command, home: Path) -> None:
    """Rows of windows long closed are counted as late at once, of a new version too, until their days are restated."""
    pq.write_table(pq.read_table(home / "reference.parquet").slice(0, 300), home / "old.parquet")
    named = ("--deployment", "credit", "--version")

    def counted(version: str) -> float:
        """Rows of all days of a version."""
        words = ("windows", "credit", "--version", version, "--resolution", "1d", "--json")
        lines = [json.loads(line) for line in ok(driftline(*words)).splitlines()]
        return sum(one["value"] for one in lines if one["metric"] == "rows")

    def wrong(version: str, rows: float) -> list[str]:
        """What is not as it must be once the archive's rows are in their windows."""
        late = json.loads(ok(driftline("status", "--json")))["late"]
        found = counted(version)
        return [f"late {late}, counted {found}, not {rows}"] if late or found != rows else []

    before = counted("3")
    for total in (300, 600):
        sent = json.loads(ok(driftline("emit", "old.parquet", *named, "3", "--json", "--seconds", "60")))
        assert (sent["late"], sent["stored"], sent["complete"]) == (300, 300, True)
        assert settle(lambda total=total: wrong("3", before + total), 180) == []  # type: ignore[misc]
    ok(driftline("profile", "build", "reference.parquet", *named, "4"))
    ok(driftline("profile", "publish", *named, "4"))
    assert "300  rows came too late" in ok(driftline("emit", "old.parquet", *named, "4"))
    assert settle(lambda: wrong("4", 300), 180) == []


def test_bad_input_is_said_in_one_sentence(driftline: Command, home: Path) -> None:
    """Wrong file, column, deployment, version or times: one sentence each, and nothing is sent."""
    named = ("--deployment", "credit", "--version", "3")
    (home / "photo.png").write_bytes(b"\x89PNG\r\n\x1a\n\x00")
    pq.write_table(pq.read_table(home / "all.parquet").drop_columns(["income"]), home / "less.parquet")
    (home / "wrong.toml").write_text('[columns]\nincom = "feature"\n')
    future = pq.read_table(home / "all.parquet").slice(0, 300)
    times = pc.add(pc.cast(future["event_time"], pa.int64()), 75 * 365 * DAY_MS)
    pq.write_table(
        future.set_column(0, "event_time", pc.cast(times, pa.timestamp("ms", tz="UTC"))),
        home / "future.parquet",
    )
    refused(driftline("emit", "al.parquet", *named), "did you mean 'all.parquet'")
    refused(driftline("emit", "photo.png", *named), "neither parquet, Arrow nor CSV")
    refused(driftline("emit", "less.parquet", *named), "has a column 'income', which the table lacks")
    refused(driftline("emit", "all.parquet", *named, "--columns", "wrong.toml"), "did you mean 'income'")
    refused(
        driftline("emit", "all.parquet", "--deployment", "credt", "--version", "3"), "did you mean 'credit'"
    )
    refused(driftline("emit", "all.parquet", "--deployment", "credit", "--version", "33"), "version '33'")
    refused(driftline("emit", "future.parquet", *named), "times in the future")
    refused(driftline("profile", "publish", "photo.png"), "is no profile")
    refused(
        driftline("profile", "publish", "--deployment", "none", "--version", "1"), "there is no profile file"
    )
    refused(driftline("profile", "build", "all.parquet", "--deployment", "a/b", "--version", "1"), "'a/b'")
    refused(driftline("windows", "credt"), "credt")
    lines = ok(driftline("windows", "credit", "--version", "3", "--resolution", "1M", "--json")).splitlines()
    rows = {
        one["window_start"]: one["rows"] for one in map(json.loads, lines) if one["feature"] == "children"
    }
    assert sum(rows.values()) == ROWS + LATE_ROWS


def test_down_leaves_no_process(driftline: Command, home: Path) -> None:
    """After `down` none of the stack's processes lives."""
    state = json.loads((home / ".driftline" / "stack.json").read_text())
    pids = {state["pid"], *(part["pid"] for part in state["components"])}
    processes = [psutil.Process(pid) for pid in pids]
    processes += [child for process in processes for child in process.children(recursive=True)]
    ok(driftline("down"))
    # What held the data directory has let it go; its last instructions may still run.
    _, alive = psutil.wait_procs(processes, timeout=5)
    assert not [process for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def test_without_a_stack_commands_say_so(driftline: Command) -> None:
    """With nothing running, `emit` and `publish` say how to start a stack."""
    named = ("--deployment", "credit", "--version", "3")
    refused(driftline("emit", "all.parquet", *named), "no local stack runs", "driftline up")
    refused(driftline("profile", "publish", *named), "no local stack runs", "driftline up")
