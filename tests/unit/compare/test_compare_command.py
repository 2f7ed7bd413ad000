"""`driftline compare`: two files in, a table, JSON lines or a page out."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner
from pyarrow import csv, feather, parquet

from driftline.deploy.cli.compare import command
from driftline.deploy.compare.bars import bars_svg
from driftline.deploy.compare.shown import Bar
from driftline.schemas.errors import DriftlineError
from driftline.streams.stats import compare, psi

EVIL = '<script>alert("x")</script>'


def table(rows: int, days: int, shift: float, seed: int) -> pa.Table:
    """Return rows over some days, with a column whose name and levels are hostile."""
    rng = np.random.default_rng(seed)
    times = np.sort(rng.integers(0, days * 86_400_000, rows))
    return pa.table(
        {
            "time": pa.array(times, pa.timestamp("ms", tz="UTC")),
            "amount": rng.normal(shift, 1, rows).astype(np.float32),
            EVIL: rng.choice(["<b>", "a & b", "plain"], rows),
        }
    )


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """Write a reference of 30 days and a current table of one, in which the amount moved."""
    parquet.write_table(table(12_000, 30, 0.0, 1), tmp_path / "reference.parquet")
    csv.write_csv(table(800, 1, 1.5, 2), tmp_path / "current.csv")
    return tmp_path / "reference.parquet", tmp_path / "current.csv"


def run(*words: object) -> str:
    """Run the command and return what it printed."""
    result = CliRunner().invoke(command, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_table_names_what_drifted(files: tuple[Path, Path]) -> None:
    """A person sees the column, its verdict and why."""
    shown = run(*files)
    assert re.search(r"amount\s+fail", shown)


def test_json_lines_carry_every_figure(files: tuple[Path, Path]) -> None:
    """With --json each figure is an object of its own, with thresholds, verdict and reason."""
    lines = [json.loads(line) for line in run(*files, "--json").splitlines()]
    amount = next(line for line in lines if (line["feature"], line["metric"]) == ("amount", "psi"))
    assert amount["verdict"] == "fail"
    assert set(amount["thresholds"]) == {"null", "floor", "block"}
    assert amount["resolution"] == "1d"
    assert {line["kind"] for line in lines} == {"drift", "quality", "rows"}


def test_psi_is_that_of_ten_lines_of_numpy(files: tuple[Path, Path]) -> None:
    """The figure of the command equals PSI computed on the raw columns."""
    old = table(12_000, 30, 0.0, 1).column("amount").to_numpy()
    new = table(800, 1, 1.5, 2).column("amount").to_numpy()
    edges = np.unique(np.quantile(old, np.arange(1, 10) / 10))
    counts = [np.bincount(np.searchsorted(edges, v, side="left"), minlength=10) for v in (new, old)]
    lines = [json.loads(line) for line in run(*files, "--json").splitlines()]
    amount = next(line for line in lines if (line["feature"], line["metric"]) == ("amount", "psi"))
    assert amount["value"] == pytest.approx(psi(*counts), rel=1e-9)


class Reader(HTMLParser):
    """Reads tags and addresses of a page, and how deep it ends."""

    def __init__(self) -> None:
        """Begin outside of every tag."""
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag and its attributes."""
        self.tags.append(tag)
        self.attributes += attrs


def test_the_page_is_one_file_that_needs_no_network(files: tuple[Path, Path], tmp_path: Path) -> None:
    """The page loads nothing, has a picture a column, and names from the table are text in it."""
    page = tmp_path / "page.html"
    run(*files, "--html", page)
    text = page.read_text(encoding="utf-8")
    reader = Reader()
    reader.feed(text)
    assert reader.tags.count("svg") == 2
    assert not {"script", "link", "img", "iframe", "b"} & set(reader.tags)
    assert not {"src", "href"} & {name for name, _ in reader.attributes}
    assert "http" not in text
    assert "@import" not in text
    assert "&lt;script&gt;" in text
    assert "prefers-color-scheme: dark" in text
    assert 'name="viewport"' in text


def test_arrow_files_are_read_too(files: tuple[Path, Path], tmp_path: Path) -> None:
    """A table in an Arrow file gives what its CSV gives."""
    feather.write_feather(table(800, 1, 1.5, 2), tmp_path / "current.arrow", compression="uncompressed")
    assert run(files[0], tmp_path / "current.arrow", "--json") == run(*files, "--json")


def test_a_column_that_is_gone_is_missing(files: tuple[Path, Path], tmp_path: Path) -> None:
    """A column that the current table lacks fails as missing; the others are judged."""
    parquet.write_table(table(800, 1, 0.0, 2).drop_columns(["amount"]), tmp_path / "less.parquet")
    lines = [json.loads(line) for line in run(files[0], tmp_path / "less.parquet", "--json").splitlines()]
    by = {(line["feature"], line["metric"]): line["verdict"] for line in lines}
    assert by["amount", "missing"] == "fail"
    assert by["amount", "psi"] == "inconclusive"
    assert by[EVIL, "psi"] == "ok"


def test_numbers_that_come_as_text_have_a_wrong_type(files: tuple[Path, Path], tmp_path: Path) -> None:
    """A feature that turned into text is no crash: all its values are of a wrong type."""
    current = table(800, 1, 0.0, 2)
    words = pa.array(["twelve"] * 800)
    parquet.write_table(current.set_column(1, "amount", words), tmp_path / "text.parquet")
    lines = [json.loads(line) for line in run(files[0], tmp_path / "text.parquet", "--json").splitlines()]
    wrong = next(line for line in lines if (line["feature"], line["metric"]) == ("amount", "wrong_type"))
    assert (wrong["value"], wrong["verdict"]) == (1.0, "fail")


def test_tables_without_a_common_column_are_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    """Nothing in common is one sentence that names both files."""
    parquet.write_table(pa.table({"other": [1.5, 2.5, 3.5]}), tmp_path / "other.parquet")
    with pytest.raises(DriftlineError, match=r"other\.parquet has none of the columns"):
        run(files[0], tmp_path / "other.parquet")


def test_scores_that_are_not_there_are_refused(files: tuple[Path, Path]) -> None:
    """Saying where scores come from, of a table that has none, is one sentence."""
    with pytest.raises(DriftlineError, match="has no score"):
        run(*files, "--scores", "held-out")


def test_a_page_that_cannot_be_written_is_one_sentence(files: tuple[Path, Path], tmp_path: Path) -> None:
    """The file is named, with what to do."""
    with pytest.raises(DriftlineError, match="give --html another file"):
        run(*files, "--html", tmp_path / "no" / "page.html")


def test_a_page_is_not_written_over_something_else(files: tuple[Path, Path], tmp_path: Path) -> None:
    """A page is written over a page, and never over a table."""
    held = files[1].read_bytes()
    with pytest.raises(DriftlineError, match="is there and no page"):
        run(*files, "--html", files[1])
    assert files[1].read_bytes() == held
    for _ in range(2):
        run(*files, "--html", tmp_path / "page.html")


def test_bars_stay_inside_their_picture() -> None:
    """Every bar has a height from 0 to the picture's, shares of 0 have none."""
    drawn = bars_svg([Bar("a", 0.0, 1.0), Bar("b", 1e-9, 0.0)], "shares")
    heights = [float(h) for h in re.findall(r'class="(?:old|new)"[^>]* height="([0-9.]+)"', drawn)]
    assert heights == [0.0, 78.0, 1.0, 0.0]


def test_frames_of_every_library_compare_alike() -> None:
    """A dict, a pandas frame, a polars frame and an Arrow table give the same figures."""
    import pandas as pd
    import polars as pl

    old, new = table(9_000, 30, 0.0, 1), table(700, 1, 0.4, 2)
    found = compare(old, new, timestamps="time").figures
    as_dicts = [
        {name: t.column(name).to_numpy(zero_copy_only=False) for name in t.column_names} for t in (old, new)
    ]
    assert compare(*as_dicts, timestamps="time").figures == found
    assert compare(old.to_pandas(), new.to_pandas(), timestamps="time").figures == found
    assert compare(pl.from_arrow(old), pl.from_arrow(new), timestamps="time").figures == found
    assert isinstance(old.to_pandas(), pd.DataFrame)


def test_nulls_mean_the_same_in_every_library() -> None:
    """None, pandas' NA and Arrow's null are nulls; a float NaN is a value that is not finite."""
    import pandas as pd
    import polars as pl

    values = [1.0, None, float("nan"), 4.0] * 100
    old = {"x": np.linspace(0, 5, 400)}
    for frame in (
        {"x": np.array(values, object)},
        pa.table({"x": pa.array(values, from_pandas=False)}),
        pl.DataFrame({"x": pl.Series(values, dtype=pl.Float64)}),
        pd.DataFrame({"x": pd.Series(values, dtype=object)}),
    ):
        found = compare(old, frame)
        assert found.figure("x", "nulls").value == 0.25
        assert found.figure("x", "nonfinite").value == 0.25


def test_what_is_no_table_is_named() -> None:
    """A list is no table, and a missing column is named."""
    with pytest.raises(DriftlineError, match="a list is no table"):
        compare([1, 2], [3])
    with pytest.raises(DriftlineError, match="no column 'y'"):
        compare({"x": [1.0]}, {"x": [1.0]}, features=["y"])
    with pytest.raises(DriftlineError, match="different lengths"):
        compare({"x": [1.0], "y": [1.0, 2.0]}, {"x": [1.0]})
