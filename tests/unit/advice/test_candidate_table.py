"""A candidate's table: its ids and scores as they are guessed, and what it cannot be."""

from __future__ import annotations

import uuid
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from driftline.deploy.advice import candidate
from driftline.deploy.advice.candidate import read_candidate
from driftline.deploy.demo.refit import write_candidate
from driftline.deploy.tables.errors import TableError
from driftline.schemas.ids import id_of


def written(folder: Path, **columns: list[object]) -> Path:
    """Return a CSV of these columns."""
    pd.DataFrame(columns).to_csv(folder / "refit.csv", index=False)
    return folder / "refit.csv"


def test_ids_and_scores_are_found_by_their_names(tmp_path: Path) -> None:
    """Id, score and class need no mapping when they are called so."""
    said, made = read_candidate(
        written(tmp_path, id=["a", "b", "c"], p_late=[0.1, 0.2, 0.9], prediction=["no", "no", "yes"])
    )
    assert made is None
    by_id = {bytes(one): at for at, one in enumerate(said.ids)}
    at = by_id[id_of("c")]
    assert said.scores["p_late"][at] == 0.9
    assert said.levels[said.codes[at]] == "yes"


def test_ids_that_driftline_made_are_read_both_ways(tmp_path: Path) -> None:
    """A UUID may be the application's own id or the one that `log` gave back."""
    ids = [str(uuid.UUID(int=number)) for number in (1, 2, 3)]
    own, made = read_candidate(written(tmp_path, prediction_id=ids, score=[0.1, 0.2, 0.3]))
    assert made is not None
    assert {bytes(one) for one in made.ids} == {uuid.UUID(one).bytes for one in ids}
    assert {bytes(one) for one in own.ids} == {id_of(one) for one in ids}


def test_a_mapping_names_the_columns(tmp_path: Path) -> None:
    """Columns of any name do, once they are mapped; of an id that comes twice the first row counts."""
    mapping = tmp_path / "columns.toml"
    mapping.write_text('[columns]\nbooking = "id"\nrisk = "score"\n', encoding="utf-8")
    said, _ = read_candidate(written(tmp_path, booking=[7, 8, 7], risk=[1.5, 2.5, 9.9]), mapping)
    assert sorted(said.scores["risk"]) == [1.5, 2.5]
    assert id_of("7") in {bytes(one) for one in said.ids}


def test_the_demos_refit_is_such_a_table(tmp_path: Path) -> None:
    """Flights that the refit did not answer are left out, the others are known by the ids that `log` gave."""
    ids = np.arange(48, dtype=np.uint8).reshape(3, 16)
    write_candidate(tmp_path / "refit.parquet", ids, np.array([0.25, np.nan, 0.75]))
    _, made = read_candidate(tmp_path / "refit.parquet")
    assert made is not None
    found = dict(zip(map(bytes, made.ids), made.scores["p_late"].tolist(), strict=True))
    assert found == {bytes(ids[0]): 0.25, bytes(ids[2]): 0.75}


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"score": [0.1, 0.2]}, "refit.csv has no column of prediction ids: call it prediction_id"),
        ({"id": ["a", "b"], "x": [1.0, 2.0]}, "refit.csv has no score and no predicted class"),
    ],
)
def test_what_is_no_candidate_is_one_sentence(
    tmp_path: Path, columns: dict[str, list[object]], said: str
) -> None:
    """A table without ids or without scores says what to do."""
    with pytest.raises(TableError, match=said):
        read_candidate(written(tmp_path, **columns))


def test_a_table_has_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows past the bound are refused before they are read into memory."""
    monkeypatch.setattr(candidate, "ROWS_MAX", 1)
    with pytest.raises(TableError, match="has 2 rows, at most 1 can be compared"):
        read_candidate(written(tmp_path, id=["a", "b"], score=[0.1, 0.2]))
