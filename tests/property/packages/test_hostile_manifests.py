"""Manifests and packages that nobody sane would make: a sentence each, no crash, no hang, nothing loaded."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from examples import many
from hypothesis import given, settings
from hypothesis import strategies as st
from packaged import KEYS, SIGNER, packed

from driftline.agents.control.signing import sign
from driftline.agents.serving.package import golden
from driftline.agents.serving.package.contents import refuse_pickles
from driftline.agents.serving.package.errors import PackageError
from driftline.agents.serving.package.layout import FILE, is_plain_path
from driftline.agents.serving.package.manifest import MAX_BYTES, Manifest
from driftline.agents.serving.package.onnx_wire import external_files
from driftline.agents.serving.package.signed import opened_manifest
from driftline.agents.serving.package.verify import verify
from driftline.schemas.control import envelope as envelopes

# What a sound package says, read once.
with tempfile.TemporaryDirectory() as _folder:
    _made = packed(Path(_folder))
    SOUND: dict[str, Any] = msgspec.json.decode(_made.signed.envelope.body)
    ENVELOPE = (_made.folder / FILE).read_bytes()
    MODEL = (_made.folder / "model.onnx").read_bytes()
    GOLDEN = (_made.folder / "golden.json").read_bytes()
    MANIFEST = _made.signed.manifest

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the way to every value inside of a value."""
    found = [path] if path else []
    if isinstance(value, dict):
        for key, inner in value.items():
            found += places(inner, (*path, key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            found += places(inner, (*path, number))
    return found


def put(value: Any, path: tuple[Any, ...], other: Any) -> Any:
    """Return a value with another one at some place."""
    copy: Any = msgspec.json.decode(msgspec.json.encode(value))
    at = copy
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = other
    return copy


def cut(data: bytes, changes: list[tuple[int, int]], length: int) -> bytes:
    """Return bytes with some of them changed, cut to a length."""
    made = bytearray(data)
    for at, byte in changes:
        made[at % len(made)] = byte
    return bytes(made[: length % (len(made) + 1)] if length else made)


FLIPS = st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), max_size=6)


def outcome(call: Callable[[], Any]) -> Any:
    """Return what a call gives, or the sentence that refuses; any other error is the test's."""
    try:
        return call()
    except PackageError as error:
        return str(error)


@settings(max_examples=many(200))
@given(place=st.sampled_from(places(SOUND)), other=ANYTHING)
def test_a_manifest_with_anything_in_it_is_read_or_refused(place: tuple[Any, ...], other: Any) -> None:
    """Whatever stands in the place of a value: the manifest reads and holds together, or is refused in one line."""
    payload = msgspec.json.encode(put(SOUND, place, other))
    found = outcome(lambda: Manifest.from_bytes(payload))
    if isinstance(found, str):
        assert "\n" not in found
        assert len(found) < 1_000
        return
    assert all(is_plain_path(file.path) for file in found.files)
    assert Manifest.from_bytes(found.to_bytes()) == found


@settings(max_examples=many(200))
@given(data=st.binary(max_size=400) | st.builds(cut, st.just(ENVELOPE), FLIPS, st.integers(0, 1 << 12)))
def test_an_envelope_of_any_bytes_is_believed_only_as_it_was_signed(data: bytes) -> None:
    """Bytes that are not the envelope that was signed give no manifest but the one that was signed."""
    found = outcome(lambda: opened_manifest(data, KEYS))
    assert isinstance(found, str) or found.manifest == MANIFEST


@settings(max_examples=many(200))
@given(data=st.binary(max_size=300) | st.builds(cut, st.just(MODEL), FLIPS, st.integers(0, 1 << 12)))
def test_a_model_of_any_bytes_is_walked_or_refused(data: bytes) -> None:
    """Any bytes are a model whose files are told, or are refused; nothing else is raised."""
    assert isinstance(outcome(lambda: external_files(data)), list | str)
    assert isinstance(outcome(lambda: refuse_pickles("model", io.BytesIO(data))), str | None)


@settings(max_examples=many(200))
@given(data=st.binary(max_size=300) | st.builds(cut, st.just(GOLDEN), FLIPS, st.integers(0, 1 << 12)))
def test_golden_rows_of_any_bytes_are_read_or_refused(data: bytes) -> None:
    """Any bytes are golden rows of the manifest's tensors with finite answers, or are refused."""
    found = outcome(lambda: golden.read(data, MANIFEST.inputs, MANIFEST.outputs))
    assert isinstance(found, str) or golden.difference(found.outputs, found.outputs, rtol=0, atol=0) is None


def test_golden_rows_of_many_axes_take_no_time() -> None:
    """A hundred thousand axes of any length are refused, not multiplied: the agent itself would wait for that."""
    axes = ",".join(["1000000000000000000"] * 100_000)
    data = b'{"inputs":[{"name":"x","datatype":"FP32","shape":[%s],"data":[]}],"outputs":[]}' % axes.encode()
    assert "length <= 8" in str(outcome(lambda: golden.read(data, MANIFEST.inputs, MANIFEST.outputs)))


@settings(max_examples=many(60))
@given(
    place=st.sampled_from(places(SOUND)),
    other=ANYTHING,
    surplus=st.booleans(),
    flips=FLIPS,
    length=st.integers(0, 200),
)
def test_a_package_of_anything_that_is_signed_is_sound_or_refused(
    place: tuple[Any, ...], other: Any, *, surplus: bool, flips: list[tuple[int, int]], length: int
) -> None:
    """However a signed manifest and its files disagree: the package is as it was signed, or one sentence."""
    payload = msgspec.json.encode(put(SOUND, place, other))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "model.onnx").write_bytes(cut(MODEL, flips, length))
        (folder / "golden.json").write_bytes(GOLDEN)
        (folder / FILE).write_bytes(sign(envelopes.MANIFEST, payload[:MAX_BYTES], SIGNER).to_bytes())
        if surplus:
            (folder / "surplus").write_bytes(b"x")
        found = outcome(lambda: verify(folder, KEYS))
        if isinstance(found, str):
            assert "\n" not in found
            return
        assert not surplus
        assert {file.path for file in found.manifest.files} == {"model.onnx", "golden.json"}
