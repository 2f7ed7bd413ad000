"""Pickles are known by their opcodes, in whatever they are packed, and none of them runs."""

from __future__ import annotations

import bz2
import copyreg
import gzip
import io
import lzma
import pickle
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest
from packaged import Betrayal, linear

from driftline.agents.serving.package import contents
from driftline.agents.serving.package.contents import MAX_MEMBERS, is_pickle, refuse_pickles
from driftline.agents.serving.package.errors import BrokenPackageError


def zipped(members: dict[str, bytes], packing: int = zipfile.ZIP_STORED) -> bytes:
    """Return a zip."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", packing) as made:
        for name, data in members.items():
            made.writestr(name, data)
    return out.getvalue()


def tarred(data: bytes) -> bytes:
    """Return a tar of one file."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made:
        about = tarfile.TarInfo("data.pkl")
        about.size = len(data)
        made.addfile(about, io.BytesIO(data))
    return out.getvalue()


def dumped(value: Any, **options: Any) -> bytes:
    """Return what joblib writes."""
    out = io.BytesIO()
    joblib.dump(value, out, **options)
    return out.getvalue()


def array(value: Any) -> bytes:
    """Return what numpy writes for an array of objects."""
    out = io.BytesIO()
    np.save(out, value, allow_pickle=True)
    return out.getvalue()


WAYS: dict[str, Callable[[Any], bytes]] = {
    **{f"protocol {number}": lambda value, n=number: pickle.dumps(value, n) for number in range(6)},
    "no mark": lambda value: pickle.dumps(value, 4)[2:],
    "joblib": dumped,
    "joblib, zlib": lambda value: dumped(value, compress=3),
    "joblib, gzip": lambda value: dumped(value, compress=("gzip", 3)),
    "joblib, bz2": lambda value: dumped(value, compress=("bz2", 3)),
    "joblib, xz": lambda value: dumped(value, compress=("xz", 3)),
    "joblib, lzma": lambda value: dumped(value, compress=("lzma", 3)),
    "gzip": lambda value: gzip.compress(pickle.dumps(value)),
    "bz2": lambda value: bz2.compress(pickle.dumps(value)),
    "xz": lambda value: lzma.compress(pickle.dumps(value)),
    "zlib": lambda value: zlib.compress(pickle.dumps(value)),
    "as PyTorch": lambda value: zipped({"archive/data.pkl": pickle.dumps(value, 2), "archive/version": b"3"}),
    "zip, deflated": lambda value: zipped({"x": pickle.dumps(value)}, zipfile.ZIP_DEFLATED),
    "zip after something": lambda value: b"\x08\x09onnx" + zipped({"x": pickle.dumps(value)}),
    "npy": lambda value: array(np.array([value], dtype=object)),
    "npz": lambda value: zipped({"a.npy": array(np.array([value], dtype=object))}),
    "after a number of base 16": lambda value: b"I0x1\n0" + pickle.dumps(value, 0),
    "after a long one of base 2": lambda value: b"L0b1L\n0" + pickle.dumps(value, 0),
    "after a text of Latin-1": lambda value: b"S'\\xff'\n0" + pickle.dumps(value, 0),
    "after a text of Latin-1, unescaped": lambda value: b"S'\xff'\n0" + pickle.dumps(value, 0),
    "npy, other quotes": lambda value: array(np.array([value], dtype=object)).replace(b"'", b'"'),
    "npy, structured": lambda value: array(np.array([(1, value)], dtype=[("n", "<i4"), ("o", "O")])),
}


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_pickle_is_refused_and_does_not_run(tmp_path: Path, way: str) -> None:
    """A pickle that would betray itself is refused in every form that libraries write, and it does not."""
    witness = tmp_path / "witness"
    data = WAYS[way](Betrayal(witness))
    with pytest.raises(
        BrokenPackageError, match=r"weights\.bin.* is .*pickle.*: loading it would run"
    ) as caught:
        refuse_pickles("weights.bin", io.BytesIO(data))
    assert "save the model as ONNX, skops or safetensors" in str(caught.value)
    assert not witness.exists()


@pytest.mark.parametrize(("packer", "data"), [
    ("lz4", b"\x04\x22\x4d\x18" + b"anything"),
    ("Zstandard", b"\x28\xb5\x2f\xfd" + b"anything"),
    ("lz4 or Zstandard", b"\x50\x2a\x4d\x18" + bytes(20)),
    ("tar", tarred(pickle.dumps([1]))),
    ("tar", gzip.compress(tarred(pickle.dumps([1])))),
    ("tar", lzma.compress(tarred(pickle.dumps([1])))),
    ("lz4", bz2.compress(b"\x04\x22\x4d\x18" + b"anything")),
    ("two packers, one in the other", gzip.compress(gzip.compress(pickle.dumps([1])))),
    ("two packers, one in the other", zlib.compress(bz2.compress(pickle.dumps([1])))),
    ("two packers, one in the other", gzip.compress(zipped({"x": b"y"}))),
], ids=range(10))  # fmt: skip
def test_what_nobody_looks_through_is_refused(packer: str, data: bytes) -> None:
    """Joblib writes lz4 where it is installed, and what a tar holds begins with its name: neither is opened here."""
    with pytest.raises(
        BrokenPackageError, match=rf"weights\.bin is packed by {packer}, which nobody looks through"
    ):
        refuse_pickles("weights.bin", io.BytesIO(data))
    with pytest.raises(BrokenPackageError, match=rf"m\.zip \('weights.bin' in it\) is packed by {packer}"):
        refuse_pickles("m.zip", io.BytesIO(zipped({"weights.bin": data})))


def test_the_pickle_of_these_tests_would_have_betrayed_itself(tmp_path: Path) -> None:
    """The witness of the test above is there once somebody does unpickle."""
    witness = tmp_path / "witness"
    pickle.loads(pickle.dumps(Betrayal(witness)))  # noqa: S301 - what must never happen elsewhere
    assert witness.exists()


@pytest.mark.parametrize("seed", range(20))
def test_weights_are_no_pickles(seed: int) -> None:
    """Random weights of every width are let through: 20,000 beginnings, none of them taken for a pickle."""
    rng = np.random.default_rng(seed)
    for dtype in (np.float16, np.float32, np.float64, np.int8):
        weights = rng.normal(0, 40, (250, 64)).astype(dtype)
        assert not any(is_pickle(row.tobytes()) for row in weights)


def test_models_are_no_pickles(tmp_path: Path) -> None:
    """An ONNX file, a header of safetensors that begins like a pickle, plain data and an empty file are let through."""
    for data in (
        linear(tmp_path / "m.onnx").read_bytes(),
        (0x0280).to_bytes(8, "little") + b"{" + b" " * 700,
        b"some text",
        b"",
        b"x\x9cnot zlib",
        b"\x1f\x8bnot gzip",
        array(np.arange(4.0)),
        zipped({"a": b"text"}),
    ):
        refuse_pickles("model", io.BytesIO(data))


def test_a_bomb_is_refused_unopened() -> None:
    """A zip of more members, or more bytes, than any model has is refused by its directory alone."""
    with pytest.raises(BrokenPackageError, match=r"packs 10,001 files"):
        refuse_pickles("m.skops", io.BytesIO(zipped({str(n): b"" for n in range(MAX_MEMBERS + 1)})))
    data = bytearray(zipped({"a": b"1234", "b": b"1234", "c": b"1234"}))
    at = -1
    while (at := data.find(b"PK\x01\x02", at + 1)) >= 0:
        data[at + 24 : at + 28] = (0xFFFFFFF0).to_bytes(
            4, "little"
        )  # the uncompressed size, in the directory
    with pytest.raises(BrokenPackageError, match=r"packs 3 files of 12,884,901,840 bytes"):
        refuse_pickles("m.skops", io.BytesIO(bytes(data)))


def test_a_broken_zip_is_refused() -> None:
    """What ends like a zip and is none is refused in a sentence."""
    data = zipped({"a": b"1234"})
    with pytest.raises(BrokenPackageError, match=r"looks like a zip and cannot be read as one"):
        refuse_pickles("m.skops", io.BytesIO(b"PK\x03\x04" + data[40:60]))


def test_a_registered_reducer_is_refused(tmp_path: Path) -> None:
    """A pickle of a type whose reducer was registered is one like any other."""
    held = dict(copyreg.dispatch_table)
    copyreg.pickle(Path, lambda path: (open, (str(path), "w")))
    try:
        assert is_pickle(pickle.dumps([tmp_path / "x"], 0))
    finally:
        copyreg.dispatch_table.clear()
        copyreg.dispatch_table.update(held)


AHEAD = 2 << 20
PUSHED: dict[str, bytes] = {
    "a text": b"X" + AHEAD.to_bytes(4, "little") + bytes(AHEAD),
    "bytes": b"\x8e" + AHEAD.to_bytes(8, "little") + bytes(AHEAD),
    "five of bytes": (b"B" + (900_000).to_bytes(4, "little") + bytes(900_000) + b"0") * 5 + b"N",
    "a line": b"S'" + b"a" * AHEAD + b"'\n",
    "a line that ends in an escape": b"V\\" + b"a" * AHEAD + b"u\n",
}


@pytest.mark.parametrize("ahead", PUSHED)
def test_what_stands_behind_a_megabyte_is_seen(ahead: str) -> None:
    """A pickle that first pushes something long, and only then imports, is one; alone, and in a zip."""
    data = PUSHED[ahead] + b"0cposix\nsystem\n(S'true'\ntR."
    with pytest.raises(BrokenPackageError, match="is a pickle"):
        refuse_pickles("m", io.BytesIO(data))
    with pytest.raises(BrokenPackageError, match="is a pickle"):
        refuse_pickles("m", io.BytesIO(zipped({"data.bin": data}, zipfile.ZIP_DEFLATED)))


def test_looking_through_a_zip_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many members, each as many opcodes as one may have, are refused unread once together they are too many."""
    monkeypatch.setattr(contents, "MAX_OPCODES_TOGETHER", 50_000)
    opcodes = b"N0" * 5_000 + b"\xff"
    refuse_pickles("m.skops", io.BytesIO(zipped({str(n): opcodes for n in range(4)})))
    with pytest.raises(BrokenPackageError, match=r"packs more than can be looked through .*50,000 opcodes"):
        refuse_pickles("m.skops", io.BytesIO(zipped({str(n): opcodes for n in range(9)})))


def test_unpacking_a_zip_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Members that are small in the file and large when they are unpacked are refused once together they are."""
    monkeypatch.setattr(contents, "MAX_LOOKED_BYTES", 3 << 20)
    blown = zipped({str(n): bytes(1 << 20) for n in range(4)}, zipfile.ZIP_DEFLATED)
    with pytest.raises(BrokenPackageError, match="packs more than can be looked through"):
        refuse_pickles("m.npz", io.BytesIO(blown))
    # An argument of gigabytes is stepped over, which unpacks it: what stands behind is refused unseen.
    far = b"B" + (8 << 20).to_bytes(4, "little") + bytes(8 << 20) + b"cposix\nsystem\n."
    with pytest.raises(BrokenPackageError, match="packs more than can be looked through"):
        refuse_pickles("m.npz", io.BytesIO(zipped({"a": far}, zipfile.ZIP_DEFLATED)))


def test_a_zip_in_a_zip_is_refused() -> None:
    """What could hide a pickle one zip further in, as a file of PyTorch in a skops file, is refused unread."""
    inner = zipped({"data.pkl": pickle.dumps(Betrayal(Path("/nowhere")))})
    with pytest.raises(
        BrokenPackageError, match=r"m holds a zip in a zip, 'model\.pt', which nobody looks through"
    ):
        refuse_pickles("m", io.BytesIO(zipped({"schema.json": b"{}", "model.pt": inner})))
