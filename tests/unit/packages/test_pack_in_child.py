"""Models that are packed in a child: what comes of it is as in this process, and each way to break is one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from architectures import install, unpacked
from packaged import COLUMNS, ROWS, about, linear, order
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from skops import io as skops_io

from driftline.agents.serving.package.build import Wanted
from driftline.agents.serving.package.build_child import Column, rows_in
from driftline.agents.serving.package.build_in_child import build_in_child, columns_in
from driftline.agents.serving.package.errors import PackageError
from driftline.agents.serving.package.pack import Packed, pack_file
from driftline.agents.serving.package.trial import Bounds

BOUNDS = Bounds(memory_bytes=1 << 30)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install the architectures of the tests; return a folder."""
    monkeypatch.syspath_prepend(install(tmp_path / "site"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def both(folder: Path, path: Path, **changes: Any) -> tuple[Packed, Packed]:
    """Pack a file as it is in this process, and in a child."""
    here = pack_file(path, order(folder / "here", **changes), convert=False)
    return here, pack_file(path, order(folder / "child", **changes), convert=False, bounds=BOUNDS)


def test_a_package_that_is_made_in_a_child_is_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same bytes of the same rows, to the digest; paths are those of whoever asked."""
    linear(tmp_path / "m.onnx")
    monkeypatch.chdir(tmp_path)
    rows = {**ROWS, "note": np.array(["x", None] * 20, dtype=object)}
    here, child = both(Path(), Path("m.onnx"), rows=rows)
    assert (child.folder, child.signed.digest) == (Path("child"), here.signed.digest)
    assert (child.spread, child.kept_because) == (here.spread, here.kept_because)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["child", "here", "m.onnx"]


def test_rows_come_to_the_child_as_they_are(tmp_path: Path) -> None:
    """Columns in their order, whatever they are called: numbers of each type, matrices, texts, None where none is."""
    rows = {
        "file": np.array(["x", None, "", "None"], dtype=object),
        "c0": np.array([1, 2, 3, 4], np.int8),
        "a/b": np.linspace(0, 1, 8, dtype=np.float32).reshape(4, 2),
        "": np.array([np.nan, 0.1, -0.0, np.inf]),
        "t": np.array(["Ulm", "Bonn", "", "x"]),
        "is": np.array([True, False, True, True]),
    }
    columns = msgspec.json.decode(msgspec.json.encode(columns_in(rows, tmp_path)), type=list[Column])
    found = rows_in(columns, tmp_path)
    assert list(found) == list(rows)
    for name, array in rows.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_texts_are_asked_in_a_child_as_they_are_here(tmp_path: Path) -> None:
    """An estimator of texts is loaded and asked there, and stays one for the same reason."""
    rows = {"town": np.array(["Ulm", "Bonn"] * 20, dtype=object), "age": np.linspace(20, 60, 40)}
    matrix = np.array(list(zip(*rows.values(), strict=True)), dtype=object)
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression())
    skops_io.dump(model.fit(matrix, rows["town"] == "Ulm"), tmp_path / "m.skops")
    here, child = both(tmp_path, tmp_path / "m.skops", rows=rows, about=about(columns=("town", "age")))
    assert child.signed.digest == here.signed.digest
    assert child.kept_because == here.kept_because


@pytest.mark.parametrize("left", [None, "half a file"])
def test_a_child_that_was_ended_at_any_line_is_begun_again(tmp_path: Path, left: str | None) -> None:
    """Whether its folder was gone at that moment, or held what it had written: the package is whole."""
    linear(tmp_path / "m.onnx")
    made = tmp_path / "made"
    if left is not None:
        made.mkdir()
        (made / left).write_text("")
    wanted = Wanted(about(), ROWS, None)
    build_in_child(tmp_path / "m.onnx", "onnx", wanted, made, trusted=(), convert=False, bounds=BOUNDS)
    assert sorted(one.name for one in made.iterdir()) == ["golden.json", "model.onnx"]


@pytest.mark.parametrize("architecture", ["hungry", "starving"])
def test_a_model_that_takes_too_much_memory_is_told(installed: Path, architecture: str) -> None:
    """Whether it is caught or ends the child: what was not enough is named, with the option that gives more."""
    path, said = unpacked(installed / "w", architecture, at="call", bytes=2 << 30)
    with pytest.raises(PackageError) as found:
        pack_file(path, order(installed / "w" / "p", about=said), bounds=BOUNDS)
    assert str(found.value) == (
        f"churn 3 is not packed: its model {path} ran out of memory, and 1,024 MiB do not do; give it more with "
        "--memory-mb"
    )
    assert [one.name for one in (installed / "w").iterdir()] == ["m.safetensors"]


def test_a_model_that_crashes_is_told(installed: Path) -> None:
    """A crash ends the child alone, and is told by its signal."""
    path, said = unpacked(installed / "w", "segfault", at="call")
    with pytest.raises(
        PackageError, match="churn 3 is not packed: it crashed with SIGSEGV while it was asked"
    ):
        pack_file(path, order(installed / "w" / "p", about=said), bounds=BOUNDS)


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ({"age": ROWS["age"]}, f"the rows lack the column {COLUMNS[1]!r}"),
        ({"X": np.array([[1, None, 3]], dtype=object)}, "'X' holds object, and the model takes FP32 there"),
    ],
    ids=["lacking", "null"],
)
def test_what_cannot_be_packed_is_said_as_here(tmp_path: Path, rows: dict[str, Any], why: str) -> None:
    """The sentence of the child is the parent's, also of a tensor with a null, which is no number."""
    linear(tmp_path / "m.onnx")
    told = []
    for bounds in (None, BOUNDS):
        with pytest.raises(PackageError) as found:
            pack_file(tmp_path / "m.onnx", order(tmp_path / "p", rows=rows), bounds=bounds)
        told.append(str(found.value))
    assert told[0] == told[1]
    assert why in told[0]
