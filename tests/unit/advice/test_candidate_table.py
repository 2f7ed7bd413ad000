"""A candidate's table: its ids and answers as the live model's profile knows them, and what it cannot be."""

from __future__ import annotations

import uuid
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from driftline.deploy.advice import candidate
from driftline.deploy.advice.candidate import Candidate, read_candidate
from driftline.deploy.demo.refit import write_candidate
from driftline.deploy.tables.errors import TableError
from driftline.schemas.ids import id_of
from driftline.streams.join.scheme import Scheme

BINARY = Scheme("d", "binary", ("no", "yes"), ("score",))
CLASSES = Scheme("d", "classes", ("cat", "dog"), ("p_cat", "p_dog"))
NAMED = Scheme("d", "classes", ("cat", "dog"))
NUMBER = Scheme("d", "regression", scores=("minutes",))


def written(folder: Path, **columns: list[object]) -> Path:
    """Return a CSV of these columns."""
    pd.DataFrame(columns).to_csv(folder / "refit.csv", index=False)
    return folder / "refit.csv"


def mapped(folder: Path, text: str) -> Path:
    """Return a mapping file."""
    (folder / "columns.toml").write_text(f"[columns]\n{text}\n", encoding="utf-8")
    return folder / "columns.toml"


def read(path: Path, mapping: Path | None = None, scheme: Scheme = BINARY) -> Candidate:
    """Read a table beside a live model; scores of its classes are probabilities."""
    return read_candidate(path, mapping, scheme, are_shares=scheme.task != "regression")


def test_ids_and_scores_are_found_by_their_names(tmp_path: Path) -> None:
    """Id, score and class need no mapping when they are called so."""
    found = read(
        written(tmp_path, id=["a", "b", "c"], p_late=[0.1, 0.2, 0.9], prediction=["no", "no", "yes"])
    )
    assert (found.name, found.first_id, found.made) == ("refit.csv", "a", None)
    by_id = {bytes(one): at for at, one in enumerate(found.own.ids)}
    at = by_id[id_of("c")]
    assert found.own.scores["p_late"][at] == 0.9
    assert found.own.levels[found.own.codes[at]] == "yes"


def test_ids_that_driftline_made_are_read_both_ways(tmp_path: Path) -> None:
    """A UUID may be the application's own id or the one that `log` gave back."""
    ids = [str(uuid.UUID(int=number)) for number in (1, 2, 3)]
    found = read(written(tmp_path, prediction_id=ids, score=[0.1, 0.2, 0.3]))
    assert found.made is not None
    assert {bytes(one) for one in found.made.ids} == {uuid.UUID(one).bytes for one in ids}
    assert {bytes(one) for one in found.own.ids} == {id_of(one) for one in ids}


def test_a_mapping_names_the_columns(tmp_path: Path) -> None:
    """Columns of any name do, once they are mapped, and a score that was mapped is the only one."""
    mapping = mapped(tmp_path, 'booking = "id"\nrisk = "score"')
    found = read(
        written(tmp_path, booking=[7, 8], risk=[0.5, 0.75], p_old=[0.1, 0.2], id=["x", "x"]), mapping
    )
    assert {name: list(values) for name, values in found.own.scores.items()} == {"risk": [0.5, 0.75]}
    assert {bytes(one) for one in found.own.ids} == {id_of("7"), id_of("8")}


def test_the_live_models_names_say_which_scores_are_meant(tmp_path: Path) -> None:
    """Of several scores those are read that the live model has, and of numbers a prediction is one."""
    path = written(tmp_path, id=["a", "b"], p_old=[0.3, 0.4], p_dog=[0.1, 0.2], p_cat=[0.9, 0.8])
    assert list(read(path, scheme=CLASSES).own.scores) == ["p_cat", "p_dog"]
    for name in ("minutes", "prediction"):
        found = read(written(tmp_path, id=["a", "b"], **{name: [250, 3]}), scheme=NUMBER)
        assert list(found.own.scores[name]) == [250.0, 3.0]


def test_answers_that_are_all_the_same_are_answers(tmp_path: Path) -> None:
    """A candidate that says one thing always is compared like every other."""
    assert list(read(written(tmp_path, id=["a", "b"], score=[0.5, 0.5])).own.scores["score"]) == [0.5, 0.5]
    assert read(written(tmp_path, id=["a", "b"], predicted=["no", "no"])).own.levels == ("no",)


def test_the_demos_refit_is_such_a_table(tmp_path: Path) -> None:
    """Flights that the refit did not answer are left out, the others are known by the ids that `log` gave."""
    ids = np.arange(48, dtype=np.uint8).reshape(3, 16)
    write_candidate(tmp_path / "refit.parquet", ids, np.array([0.25, np.nan, 0.75]))
    made = read(tmp_path / "refit.parquet").made
    assert made is not None
    found = dict(zip(map(bytes, made.ids), made.scores["p_late"].tolist(), strict=True))
    assert found == {bytes(ids[0]): 0.25, bytes(ids[2]): 0.75}


AB = ["a", "b"]
WRONG = [
    (BINARY, {"score": [0.1, 0.2]}, "no column of prediction ids, only score: call it prediction_id"),
    (BINARY, {"id": AB, "x": [1.0, 2.0]}, "has no score and no predicted class, only id, x: call it score"),
    (BINARY, {"id": ["a", "b", "a"], "score": [0.1, 0.2, 0.3]}, "column 'id' of refit.csv has the id 'a' twice: keep"),
    (BINARY, {"id": ["a"] * 3, "score": [0.1, 0.2, 0.3]}, "the id 'a' twice and 1 more repeated rows: keep one row"),
    (BINARY, {"id": ["a", None], "score": [0.1, 0.2]}, "has no id in row 2: leave such rows out"),
    (BINARY, {"id": AB, "score": [0.1, None]}, "column 'score' of refit.csv has no number for id 'b': leave rows"),
    (BINARY, {"id": AB, "score": [None, None]}, "has no number for id 'a' and 1 more ids: leave rows"),
    (BINARY, {"id": AB, "score": [0.1, np.inf]}, "has inf for id 'b': leave rows without an answer out"),
    (BINARY, {"id": AB, "score": ["0.1", "high"]}, "is a score and holds 'high', which is no number: give"),
    (BINARY, {"id": AB, "score": [0.1, 1.5]}, "for id 'b', and the live model's scores are probabilities: give"),
    (BINARY, {"id": AB, "score": [-1, 0]}, "has -1 for id 'a', and the live model's scores are probabilities"),
    (BINARY, {"id": AB, "predicted": ["no", "Late"]}, "class 'Late', which the live model does not know: write it as"),
    (BINARY, {"id": AB, "predicted": ["no", None]}, "column 'predicted' of refit.csv has no class for id 'b'"),
    (BINARY, {"id": AB, "p_a": [0.1, 0.2], "p_b": [0.1, 0.2]}, "p_a, p_b, and the live model answers with the scores"),
    (CLASSES, {"id": AB, "p_dog": [0.1, 0.2]}, "p_dog, and the live model answers with the scores p_cat, p_dog"),
    (NAMED, {"id": AB, "score": [0.1, 0.2]}, "answers with classes alone: call the candidate's predicted"),
    (NUMBER, {"id": AB, "predicted": ["no", "yes"]}, "holds 'no', which is no number"),
]  # fmt: skip


@pytest.mark.parametrize(("scheme", "columns", "said"), WRONG, ids=[row[2][:40] for row in WRONG])
def test_what_is_no_candidate_is_one_sentence(
    tmp_path: Path, scheme: Scheme, columns: dict[str, list[object]], said: str
) -> None:
    """It names the column, the value and its row, and says what to do."""
    with pytest.raises(TableError) as refused:
        read(written(tmp_path, **columns), scheme=scheme)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("refit.csv", b"id,score\n", "has a header and no rows: give a table with rows"),
        ("refit.csv", b"", "is an empty file: give a parquet, CSV or Arrow table"),
        ("refit.parquet", b"PAR1 and no more", "is no table that can be read"),
        ("refit.pickle", b"\x80\x04\x95\x00\x00", "is neither parquet, Arrow nor CSV: convert it"),
        ("refit.json", b'{"id": "a"}', "is neither parquet, Arrow nor CSV: convert it"),
    ],
)
def test_a_file_that_is_no_table_is_one_sentence(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    """Whatever its name, what it holds is said."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TableError, match=said):
        read(tmp_path / name)


def test_a_table_has_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows past the bound are refused before they are read into memory."""
    monkeypatch.setattr(candidate, "ROWS_MAX", 1)
    with pytest.raises(TableError, match="has 2 rows, at most 1 can be compared"):
        read(written(tmp_path, id=["a", "b"], score=[0.1, 0.2]))
