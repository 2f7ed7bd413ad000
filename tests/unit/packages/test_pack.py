"""Packing: what becomes of a model of each kind, and what is refused before anything is signed."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from packaged import COLUMNS, KEYS, ROWS, SIGNER, Betrayal, about, linear, moved, order, packed, saved
from safetensors.numpy import save_file

from driftline.agents.serving.package.build import GOLDEN_ROWS
from driftline.agents.serving.package.errors import BrokenPackageError, PackageError
from driftline.agents.serving.package.loading import load
from driftline.agents.serving.package.manifest import Score
from driftline.agents.serving.package.pack import pack_file
from driftline.agents.serving.package.rows import read_rows
from driftline.agents.serving.package.tensors import Tensor
from driftline.agents.serving.package.verify import verify


def test_an_onnx_file_is_packed(tmp_path: Path) -> None:
    """A package of an ONNX file has the model as it was, 32 golden rows, its column names and one score."""
    made = packed(tmp_path)
    manifest = verify(made.folder, KEYS).manifest
    assert (made.folder / manifest.model).read_bytes() == (tmp_path / "linear.onnx").read_bytes()
    assert manifest.golden.rows == GOLDEN_ROWS
    assert manifest.inputs == (Tensor(name="X", datatype="FP32", shape=(-1, 3), columns=COLUMNS),)
    assert manifest.scores == (Score(name="score", output="p"),)
    assert made.spread < 1e-6


def test_external_data_come_along(tmp_path: Path) -> None:
    """Files that the model reads beside itself are listed, copied, and found again when it is loaded."""
    made = pack_file(linear(tmp_path / "m.onnx", data="w.bin"), order(tmp_path / "package"))
    manifest = verify(made.folder, KEYS).manifest
    assert [file.path for file in manifest.files] == ["golden.json", "model.onnx", "w.bin"]
    answer = load(made.folder, manifest).predict({"X": np.zeros((1, 3), np.float32)})
    assert answer["p"].tolist() == [[0.5]]


def test_weights_need_an_architecture(tmp_path: Path) -> None:
    """A safetensors file is refused without an architecture, and with one that is not installed."""
    save_file({"w": np.zeros(3, np.float32)}, tmp_path / "m.safetensors")
    with pytest.raises(PackageError, match="holds weights alone: name their architecture"):
        pack_file(tmp_path / "m.safetensors", order(tmp_path / "package"))
    tensor = Tensor(name="X", datatype="FP32", shape=(-1, 3))
    said = about(architecture="nowhere", inputs=(tensor,), outputs=(tensor,))
    with pytest.raises(PackageError, match=r"'nowhere' is not installed here .*; installed: none"):
        pack_file(tmp_path / "m.safetensors", order(tmp_path / "package", about=said))


def test_a_pickle_is_refused_whatever_its_name(tmp_path: Path) -> None:
    """A pickle called .onnx is refused by its content, before anything reads it as something else."""
    (tmp_path / "m.onnx").write_bytes(pickle.dumps(Betrayal(tmp_path / "witness")))
    with pytest.raises(BrokenPackageError, match=r"m\.onnx is a pickle"):
        pack_file(tmp_path / "m.onnx", order(tmp_path / "package"))
    assert not (tmp_path / "witness").exists()


@pytest.mark.parametrize("data", [b"", b"some text, no model", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_model_is_refused(tmp_path: Path, data: bytes) -> None:
    """A file of none of the formats is one sentence."""
    (tmp_path / "m").write_bytes(data)
    with pytest.raises(BrokenPackageError, match=r"is neither ONNX|is a zip and no skops file"):
        pack_file(tmp_path / "m", order(tmp_path / "package"))


def test_links_are_refused(tmp_path: Path) -> None:
    """A model that is a link, and data beside it that are one, are refused."""
    model = linear(tmp_path / "m.onnx", data="w.bin")
    (tmp_path / "alias.onnx").symlink_to(model)
    with pytest.raises(BrokenPackageError, match=r"'alias\.onnx' cannot be opened"):
        pack_file(tmp_path / "alias.onnx", order(tmp_path / "package"))
    (tmp_path / "w.bin").rename(tmp_path / "real.bin")
    (tmp_path / "w.bin").symlink_to("real.bin")
    with pytest.raises(BrokenPackageError, match=r"'w\.bin' cannot be opened"):
        pack_file(model, order(tmp_path / "package"))


@pytest.mark.parametrize("location", ["../w.bin", "/etc/w.bin", ".hidden"])
def test_data_elsewhere_is_refused(tmp_path: Path, location: str) -> None:
    """A model whose data lie outside of its folder, or under an odd name, is refused with what to do."""
    model = linear(tmp_path / "m.onnx", data="w.bin")
    model.write_bytes(moved(model.read_bytes(), location))
    with pytest.raises(PackageError, match="lists plain names below its own folder alone: save the model"):
        pack_file(model, order(tmp_path / "package"))


def test_data_that_are_lacking_are_named(tmp_path: Path) -> None:
    """A model whose data are gone is refused with the file's name."""
    model = linear(tmp_path / "m.onnx", data="w.bin")
    (tmp_path / "w.bin").unlink()
    with pytest.raises(BrokenPackageError, match=r"'w\.bin' is lacking"):
        pack_file(model, order(tmp_path / "package"))


def test_answers_must_be_numbers(tmp_path: Path) -> None:
    """A model that answers NaN to a golden row is not packed."""
    rows = {name: np.where(np.arange(40) == 13, np.nan, array) for name, array in ROWS.items()}
    with pytest.raises(BrokenPackageError, match=r"the answer 'p' to golden row \d+ is NaN or infinite"):
        packed(tmp_path, rows=rows)


def test_rows_do_not_depend_on_their_neighbours(tmp_path: Path) -> None:
    """A model that answers a row otherwise when it is asked alone is not packed."""
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["X"], ["m"], axes=[0]),
            helper.make_node("Sub", ["X", "m"], ["p"]),
        ],
        "centred",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, ["rows", 3])],
        [helper.make_tensor_value_info("p", TensorProto.FLOAT, ["rows", 3])],
    )
    with pytest.raises(PackageError, match="answers a row otherwise when it is asked alone"):
        packed(tmp_path, model=saved(tmp_path / "c.onnx", graph))


def test_a_fixed_number_of_rows_is_refused(tmp_path: Path) -> None:
    """A model that takes one row alone, or answers a type that no answer carries, is refused."""
    info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3]) for name in "Xp"]
    graph = helper.make_graph([helper.make_node("Identity", ["X"], ["p"])], "one", info[:1], info[1:])
    with pytest.raises(
        PackageError, match=r"first axis of the input 'X' is 1|does not answer the rows|have shape"
    ):
        packed(tmp_path / "a", model=saved(tmp_path / "one.onnx", graph))
    info = [helper.make_tensor_value_info(name, TensorProto.BFLOAT16, ["r", 3]) for name in "Xp"]
    graph = helper.make_graph([helper.make_node("Identity", ["X"], ["p"])], "bf16", info[:1], info[1:])
    with pytest.raises(PackageError, match="BF16, which numpy does not know"):
        packed(tmp_path / "b", model=saved(tmp_path / "bf16.onnx", graph))


def test_large_models_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file larger than is allowed is not copied."""
    monkeypatch.setattr("driftline.agents.serving.package.build.MAX_FILE_BYTES", 100)
    with pytest.raises(PackageError, match="has 161 bytes; 100 are allowed in a package"):
        packed(tmp_path)


def test_nothing_is_written_over(tmp_path: Path) -> None:
    """A folder that is there already is left alone, and a package needs a signature."""
    made = packed(tmp_path)
    with pytest.raises(PackageError, match="is there already"):
        pack_file(tmp_path / "linear.onnx", order(made.folder))
    with pytest.raises(PackageError, match="signature of at least one key"):
        pack_file(tmp_path / "linear.onnx", order(tmp_path / "two", signers=()))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["linear.onnx", "package"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"columns": ("a", "b")}, "2 columns are named, and the model's inputs are X [-1, 3]"),
        ({"columns": ()}, "the rows lack the input 'X' [-1, 3]; name the columns of a matrix"),
        (
            {"columns": ("age", "income", "town")},
            "the rows lack the column 'town'; they have age, income, visits",
        ),
        ({"segments": ("town",)}, "segments names 'town', which is no column of its inputs"),
    ],
)
def test_columns_must_fit(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    """Names of columns that the model or the rows do not have are refused."""
    with pytest.raises(PackageError) as caught:
        packed(tmp_path, about=about(**changes))
    assert told in str(caught.value)


def test_rows_must_fit(tmp_path: Path) -> None:
    """Texts where the model takes numbers, columns of unequal length and no rows at all are refused."""
    for rows, told in (
        (ROWS | {"age": np.array(["x"] * 40, object)}, "'age' holds object, and the model takes FP32"),
        (ROWS | {"age": np.zeros(3)}, "have [3, 40] rows"),
        ({name: array[:0] for name, array in ROWS.items()}, "have [0] rows"),
    ):
        with pytest.raises(PackageError) as caught:
            packed(tmp_path, rows=rows)
        assert told in str(caught.value)


def test_rows_are_read_from_files(tmp_path: Path) -> None:
    """Rows come from the JSON of a v2 request or from arrays of numpy, never from a pickle."""
    (tmp_path / "r.json").write_text(
        '{"inputs": [{"name": "X", "shape": [2, 3], "data": [1, 2, 3, 4, 5, 6]}]}'
    )
    assert read_rows(tmp_path / "r.json")["X"].tolist() == [[1, 2, 3], [4, 5, 6]]
    np.savez(tmp_path / "r.npz", X=np.eye(3))
    assert read_rows(tmp_path / "r.npz")["X"].shape == (3, 3)
    np.savez(tmp_path / "bad.npz", X=np.array([Betrayal(tmp_path / "witness")], object))
    for name in ("bad.npz", "linear.json", "none.json"):
        (tmp_path / "linear.json").write_text("[1]")
        with pytest.raises(PackageError, match="the rows"):
            read_rows(tmp_path / name)
    assert not (tmp_path / "witness").exists()


def test_whole_numbers_stay_whole(tmp_path: Path) -> None:
    """A column with a fraction is refused where the model takes whole numbers."""
    info = [helper.make_tensor_value_info(name, TensorProto.INT64, ["r", 1]) for name in "np"]
    one = numpy_helper.from_array(np.array([1], np.int64), "one")
    graph = helper.make_graph(
        [helper.make_node("Add", ["n", "one"], ["p"])], "add", info[:1], info[1:], [one]
    )
    model = saved(tmp_path / "add.onnx", graph)
    said = about(columns=())
    made = packed(tmp_path / "a", model=model, rows={"n": np.arange(9.0)}, about=said)
    assert made.signed.manifest.golden.atol == 0
    with pytest.raises(PackageError, match="'n' holds values that INT64 cannot take"):
        packed(tmp_path / "b", model=model, rows={"n": np.arange(9) / 2}, about=said)
    assert SIGNER.keyid in made.signed.envelope.signatures[0].keyid
