"""Manifest: what it holds together, and what it refuses to hold."""

from __future__ import annotations

import base64
from typing import Any, Final

import msgspec
import numpy as np
import pytest
from packaged import SIGNER, about, by_hand
from signed import key

from driftline.agents.control.signing import sign
from driftline.agents.serving.package.errors import BrokenPackageError
from driftline.agents.serving.package.golden import GoldenRows
from driftline.agents.serving.package.layout import is_plain_path
from driftline.agents.serving.package.manifest import MAX_BYTES, Manifest, Reference, Score
from driftline.agents.serving.package.tensors import Tensor
from driftline.schemas.control import envelope as envelopes
from driftline.schemas.control.command import Command

NOBODY: Final = "00000000-0000-0000-0000-000000000000"
ROW = GoldenRows({"X": np.zeros((1, 2), np.float32)}, {"p": np.zeros((1, 2), np.float32)})
X = Tensor(name="X", datatype="FP32", shape=(-1, 2), columns=("a", "b"))


@pytest.fixture
def manifest(tmp_path: Any) -> Manifest:
    """Return a manifest with one matrix of two columns, and two scores."""
    return by_hand(tmp_path / "package", {"model.onnx": b""}, rows=ROW, inputs=(X,))


def refused(manifest: Manifest, **changes: Any) -> str:
    """Return the sentence that refuses a manifest with changes."""
    with pytest.raises(BrokenPackageError) as caught:
        Manifest.from_bytes(msgspec.json.encode(msgspec.structs.replace(manifest, **changes)))
    return str(caught.value)


def test_a_manifest_reads_back(manifest: Manifest) -> None:
    """What was written is read as the same manifest, under the same digest."""
    again = Manifest.from_bytes(manifest.to_bytes())
    assert again == manifest
    assert again.ref() == manifest.ref()
    assert again.columns == ("a", "b")


def test_no_field_stands_twice(manifest: Manifest) -> None:
    """Some readers take the first, some the last: the tier that is read might not be the one that counts."""
    twin = manifest.to_bytes().replace(b"{", b'{"tier":"high",', 1)
    with pytest.raises(BrokenPackageError, match="tier"):
        Manifest.from_bytes(twin)


def test_a_command_carries_the_largest_manifest(manifest: Manifest) -> None:
    """A manifest of 24,000 bytes, signed twice and registered with a long reason, fits into a command's envelope."""
    columns = tuple(f"{'c' * 180}{number:04}" for number in range(110))
    wide = msgspec.structs.replace(X, shape=(-1, len(columns)), columns=columns)
    large = msgspec.structs.replace(manifest, inputs=(wide,), purpose="x")
    large = msgspec.structs.replace(large, purpose="x" * (1 + MAX_BYTES - len(large.to_bytes())))
    assert len(large.to_bytes()) == MAX_BYTES
    held = sign(envelopes.MANIFEST, large.to_bytes(), SIGNER, key("second")).to_bytes()
    command = Command(
        command_id=NOBODY,
        op="register",
        audience=NOBODY,
        issued_at_ms=1 << 41,
        expires_at_ms=1 << 41,
        nonce="0" * 32,
        reason="r" * 2_000,
        deployment="d" * 100,
        model=large.ref(),
        expected_revision=1 << 40,
        manifest=base64.b64encode(held).decode(),
        profile="0" * 64,
    )
    assert len(sign(envelopes.COMMAND, command.to_bytes(), SIGNER).to_bytes()) <= envelopes.MAX_BYTES


def test_a_manifest_is_bounded(manifest: Manifest) -> None:
    """A manifest that a command could not carry is refused when it is made and when it is read."""
    large = msgspec.structs.replace(
        manifest, purpose="x" * 2000, feature_importance={f"{'c' * 190}{n}": 0.5 for n in range(200)}
    )
    with pytest.raises(BrokenPackageError, match="24,000 are allowed"):
        large.to_bytes()
    with pytest.raises(BrokenPackageError, match=r"has 24,001 bytes; 24,000 are allowed"):
        Manifest.from_bytes(b" " * (MAX_BYTES + 1))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model": "other.onnx"}, "its model 'other.onnx' is none of its files"),
        ({"model": "golden.json"}, "one file is its model, its golden rows or its profile at once"),
        ({"profile": Reference(file="p", digest="0" * 64)}, "its profile 'p' is none of its files"),
        ({"inputs": (X, X)}, "two inputs are called 'X'"),
        (
            {"inputs": (Tensor(name="X", datatype="FP32", shape=(1, 2)),)},
            "the first axis of the input 'X' is 1",
        ),
        ({"inputs": (msgspec.structs.replace(X, shape=(-1, 3)),)}, "names 2 columns for shape [-1, 3]"),
        (
            {"inputs": (msgspec.structs.replace(X, columns=("a", "a")),)},
            "two columns of its inputs are called 'a'",
        ),
        ({"segments": ("town",)}, "segments names 'town', which is no column"),
        ({"feature_importance": {"town": 1.0}}, "feature_importance names 'town', which is no column"),
        ({"predicted": "label"}, "predicted is 'label', which is no output"),
        ({"scores": (Score(name="s", output="q"),)}, "taken from 'q', which is no output"),
        ({"scores": (Score(name="s", output="p", column=2),)}, "is column 2 of 'p', which is FP32 [-1, 2]"),
        ({"scores": (Score(name="s", output="p"),) * 2}, "two scores are called 's'"),
        ({"classes": ("a", "a")}, "two classes are called 'a'"),
        ({"architecture": "mlp"}, "an architecture goes with safetensors"),
        ({"format": "safetensors"}, "an architecture goes with safetensors"),
        ({"config": {"width": 3}}, "a config goes with safetensors alone"),
        ({"as_frame": True}, "as_frame goes with skops alone"),
    ],
)
def test_what_contradicts_itself_is_refused(manifest: Manifest, changes: dict[str, Any], told: str) -> None:
    """Each contradiction is named in one sentence."""
    sentence = refused(manifest, **changes)
    assert told in sentence
    assert sentence.startswith("the manifest of churn 3 contradicts itself: ")


def test_files_are_listed_once(manifest: Manifest) -> None:
    """A file listed twice, in whatever case, one that is a folder too, and the manifest's own are refused."""
    first, second = manifest.files
    assert "lists the file 'model.onnx' twice" in refused(manifest, files=(first, first, second))
    shouted = msgspec.structs.replace(first, path="MODEL.onnx")
    assert "twice" in refused(manifest, files=(first, shouted, second))
    below = msgspec.structs.replace(first, path="model.onnx/w")
    assert "'model.onnx' is a file and a folder" in refused(manifest, files=(first, below, second))
    own = msgspec.structs.replace(first, path="manifest.json")
    assert "which is its own file" in refused(manifest, files=(first, own, second))


@pytest.mark.parametrize(
    "path",
    ["", "/etc/passwd", "../w", "a/../w", "./w", "a//w", ".hidden", "a\\w", "a b", "w\n", "a/b/c/d/e", "é"],
)
def test_paths_are_plain(manifest: Manifest, path: str) -> None:
    """Absolute paths, `..`, hidden files, odd characters and deep folders are no paths of a package."""
    assert not is_plain_path(path)
    first, second = manifest.files
    assert "path" in refused(manifest, files=(first, second, msgspec.structs.replace(first, path=path)))


def test_unknown_keys_are_refused(manifest: Manifest) -> None:
    """A manifest that says more than a manifest can is refused, so that nothing signed goes unread."""
    said = msgspec.json.decode(manifest.to_bytes()) | {"post_install": "rm"}
    with pytest.raises(BrokenPackageError, match="unknown field `post_install`"):
        Manifest.from_bytes(msgspec.json.encode(said))


def test_what_people_say_is_all_there(manifest: Manifest) -> None:
    """Owner, purpose, tier, oversight, training data and provenance stand in every manifest."""
    for name in ("owner", "purpose", "tier", "oversight", "training_data", "provenance", "target"):
        said = msgspec.json.decode(manifest.to_bytes())
        del said[name]
        with pytest.raises(BrokenPackageError, match=name):
            Manifest.from_bytes(msgspec.json.encode(said))
    assert about().owner == manifest.owner
