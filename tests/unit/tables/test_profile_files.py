"""Building a profile from a table, and keeping it in a file."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from driftline.deploy.tables.build import build_from_table
from driftline.deploy.tables.errors import TableError
from driftline.deploy.tables.plan import Planned, plan_table
from driftline.deploy.tables.profile_files import load_profile, newest_profile, profile_path, save_profile
from driftline.schemas import codec
from driftline.schemas.settings import load

DAY_MS = 86_400_000


@pytest.fixture
def planned(tmp_path: Path) -> Planned:
    """Thirty days of 300 rows with a score."""
    rng = np.random.default_rng(8)
    times = 1_704_067_200_000 + np.arange(9_000) * (30 * DAY_MS // 9_000)
    columns = {
        "event_time": pa.array(times, pa.timestamp("ms")),
        "age": rng.normal(size=9_000),
        "id_number": rng.integers(2**40, 2**41, 9_000),
        "p_yes": rng.random(9_000),
    }
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    return plan_table(tmp_path / "t.parquet")


def test_building_twice_gives_the_same_digest(planned: Planned) -> None:
    """The same rows are the same profile, so publishing them again is harmless."""
    first, second = (build_from_table(planned, "d", "1").profile for _ in range(2))
    assert first.digest() == second.digest()


def test_widths_times_and_windows_are_the_tables(planned: Planned) -> None:
    """Integers past 2^24 travel as float64; days are counted; the span and the rows are the table's."""
    profile = build_from_table(planned, "d", "1", provenance="held-out").profile
    widths = {one.name: one.dtype for one in profile.columns if one.kind == "numeric"}
    assert widths == {"age": "float32", "id_number": "float64", "p_yes": "float32"}
    assert (profile.rows, profile.resolutions, len(profile.day_starts_ms)) == (9_000, ("1d",), 30)
    assert profile.provenance == "held-out"


def test_scores_of_unknown_origin_are_taken_as_in_sample(planned: Planned) -> None:
    """Without --scores the cautious guess holds, which compares no scores."""
    assert build_from_table(planned, "d", "1").profile.provenance == "in-sample"


@pytest.mark.parametrize(
    ("deployment", "version", "words"),
    [("a/b", "1", "deployment 'a/b'"), ("", "1", "deployment ''"), ("d", " 1", "version ' 1'")],
)
def test_names_that_cannot_be_keys_are_refused(
    planned: Planned, deployment: str, version: str, words: str
) -> None:
    """A deployment with a slash would be taken for deployment/version."""
    with pytest.raises(TableError, match=words):
        build_from_table(planned, deployment, version)


def test_provenance_without_scores_is_refused(tmp_path: Path) -> None:
    """--scores makes no sense for a table that has none."""
    pq.write_table(pa.table({"age": np.arange(300.0)}), tmp_path / "t.parquet")
    with pytest.raises(TableError, match="no score and no predicted class"):
        build_from_table(plan_table(tmp_path / "t.parquet"), "d", "1", provenance="held-out")


def test_a_profile_survives_its_file(tmp_path: Path, planned: Planned) -> None:
    """What is saved is what is loaded, whatever characters a version has."""
    profile = build_from_table(planned, "d", "v/1 β").profile
    path = profile_path(load({"DRIFTLINE_LOCAL_DATA_DIR": str(tmp_path)}), "d", "v/1 β")
    save_profile(profile, path)
    assert path.parent == tmp_path / "profiles"
    assert load_profile(path).digest() == profile.digest()


def test_a_profile_is_not_written_over_something_else(tmp_path: Path, planned: Planned) -> None:
    """A profile is written over a profile or an empty file, and never over the table or a key."""
    profile = build_from_table(planned, "d", "1").profile
    held = (tmp_path / "t.parquet").read_bytes()
    with pytest.raises(TableError, match="is there and no profile"):
        save_profile(profile, tmp_path / "t.parquet")
    assert (tmp_path / "t.parquet").read_bytes() == held
    (tmp_path / "new").touch()
    for _ in range(2):
        save_profile(profile, tmp_path / "new")
    assert load_profile(tmp_path / "new").digest() == profile.digest()


def test_versions_do_not_share_a_file(tmp_path: Path) -> None:
    """`a/b` and `a-b` are two versions and two files."""
    settings = load({"DRIFTLINE_LOCAL_DATA_DIR": str(tmp_path)})
    assert profile_path(settings, "d", "a/b") != profile_path(settings, "d", "a-b")


def test_a_file_that_is_no_profile_is_named(tmp_path: Path) -> None:
    """A missing file and one of other bytes are said in one sentence each."""
    with pytest.raises(TableError, match="there is no profile file"):
        load_profile(tmp_path / "gone.profile")
    (tmp_path / "x.profile").write_bytes(b"something else")
    with pytest.raises(TableError, match="is no profile"):
        load_profile(tmp_path / "x.profile")


def test_the_profile_built_last_is_the_one_to_publish(tmp_path: Path, planned: Planned) -> None:
    """Without a name the newest file counts; without any file the sentence says how to make one."""
    settings = load({"DRIFTLINE_LOCAL_DATA_DIR": str(tmp_path)})
    profile = build_from_table(planned, "churn", "1").profile
    with pytest.raises(TableError, match="profile build"):
        newest_profile(settings)
    for version, written_ns in (("2", 5_000_000_000), ("1", 9_000_000_000), ("3", 7_000_000_000)):
        path = profile_path(settings, "churn", version)
        save_profile(profile, path)
        os.utime(path, ns=(written_ns, written_ns))
    assert newest_profile(settings) == profile_path(settings, "churn", "1")


def test_a_profile_too_large_to_travel_is_one_sentence(
    planned: Planned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reference of too many columns is refused when it is kept, not when it is published."""
    profile = build_from_table(planned, "d", "1").profile
    monkeypatch.setattr(codec, "MAX_BYTES", {"Profile": 1_000})
    with pytest.raises(TableError, match=r"the profile of d 1 cannot travel \(a Profile of .* bytes"):
        save_profile(profile, tmp_path / "d.profile")
    assert not (tmp_path / "d.profile").exists()


def test_a_profile_takes_the_place_of_no_pipe_or_folder(planned: Planned, tmp_path: Path) -> None:
    """A path of anything but a file is refused and left as it is."""
    profile = build_from_table(planned, "d", "1").profile
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path()):
        with pytest.raises(TableError, match="is no regular file: choose another place with --out"):
            save_profile(profile, path)
    assert (tmp_path / "pipe").is_fifo()
