"""Files of rows that are damaged, hostile or none: each is one sentence, and takes no more memory than it may."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from driftline.agents.serving.package import rows
from driftline.agents.serving.package.errors import PackageError


def whole() -> bytes:
    """Give an .npz of one array."""
    out = io.BytesIO()
    np.savez(out, X=np.arange(3_000.0).reshape(-1, 3))
    return out.getvalue()


def flipped() -> bytes:
    """Give one with another byte in its array."""
    data = bytearray(whole())
    data[1_000] ^= 1
    return bytes(data)


def member(name: str, data: bytes = b"x", flags: int = 0, method: int | None = None) -> bytes:
    """Give a zip of one member whose head says what a test likes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr(name, data)
    found = bytearray(out.getvalue())
    central = found.index(b"PK\x01\x02")
    for head, place in ((0, 6), (central, 8)):
        found[head + place] |= flags
        if method is not None:
            found[head + place + 2] = method
    return bytes(found)


@pytest.mark.parametrize(
    "given",
    [
        lambda: b"",
        lambda: b"no zip",
        lambda: whole()[:2_000],
        flipped,
        lambda: member("X.txt"),
        lambda: member("X.npy"),
        lambda: member("X.npy", flags=1),
        lambda: member("X.npy", method=99),
    ],
    ids=["empty", "text", "cut", "flipped", "text in it", "no array", "encrypted", "unknown packing"],
)
def test_what_is_no_file_of_arrays_is_said(tmp_path: Path, given: Callable[[], bytes]) -> None:
    """And nothing but that: no traceback, and no word of an interruption."""
    (tmp_path / "r.npz").write_bytes(given())
    with pytest.raises(PackageError, match=r"the rows .*r\.npz (are neither|hold)"):
        rows.read_rows(tmp_path / "r.npz")


def test_what_unpacks_to_too_much_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound is of what it takes in memory, not of how small it was packed."""
    monkeypatch.setattr(rows, "_MAX_FILE_BYTES", 1 << 20)
    np.savez_compressed(tmp_path / "r.npz", X=np.zeros((1 << 16, 3)))
    assert (tmp_path / "r.npz").stat().st_size < 1 << 16
    with pytest.raises(PackageError, match="unpack to more than 1,048,576 bytes: give fewer"):
        rows.read_rows(tmp_path / "r.npz")


@pytest.mark.parametrize(
    ("datatype", "data", "said"),
    [
        ("BF32", [1, 2], r"the rows say that 'X' is 'BF32'; there are BOOL, "),
        ("UINT8", [1, 300], r"'X' holds values that UINT8 cannot take, which the file says there"),
        ("FP32", [1, 1e300], r"'X' holds values that FP32 cannot take, which the file says there"),
        ("FP16", [1, 1e6], r"'X' holds values that FP16 cannot take"),
        ("FP32", ["a", "b"], r"'X' holds <U1, and the file says FP32 there"),
        ("BYTES", ["a", 1], r"row 1 of 'X' is 1, and the file says texts there"),
        ("BYTES", [1, 2], r"row 0 of 'X' is 1, and the file says texts there"),
    ],
)
def test_values_that_are_not_of_the_type_that_they_are_said_to_be_are_refused(
    tmp_path: Path, datatype: str, data: list[object], said: str
) -> None:
    """Rows in the JSON of a v2 request say their types."""
    asked = {"inputs": [{"name": "X", "datatype": datatype, "shape": [2, 1], "data": data}]}
    (tmp_path / "r.json").write_text(json.dumps(asked))
    with pytest.raises(PackageError, match=said):
        rows.read_rows(tmp_path / "r.json")


def test_a_tensor_whose_name_is_no_text_is_refused(tmp_path: Path) -> None:
    """In a sentence: a number for a name is a common slip of whoever writes JSON by hand."""
    asked = {"inputs": [{"name": 1, "datatype": "FP32", "shape": [1, 1], "data": [1]}]}
    (tmp_path / "r.json").write_text(json.dumps(asked))
    with pytest.raises(PackageError, match="the rows name a tensor 1, which is no text"):
        rows.read_rows(tmp_path / "r.json")


def test_rows_are_of_the_type_that_they_are_said_to_be(tmp_path: Path) -> None:
    """Whole numbers that are said to be floats are floats."""
    asked = {"inputs": [{"name": "X", "datatype": "FP32", "shape": [2, 1], "data": [1, 2]}]}
    (tmp_path / "r.json").write_text(json.dumps(asked))
    assert rows.read_rows(tmp_path / "r.json")["X"].dtype == np.float32
