"""Verification: every way in which a package may be broken is found, and told in one sentence."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from packaged import KEYS, SIGNER, Betrayal, by_hand, linear, moved, order, packed, signed_again
from signed import key

from driftline.agents.control.signing import sign
from driftline.agents.serving.package.errors import BrokenPackageError, PackageError, UntrustedPackageError
from driftline.agents.serving.package.golden import GoldenRows
from driftline.agents.serving.package.layout import FILE
from driftline.agents.serving.package.manifest import Manifest, Reference
from driftline.agents.serving.package.pack import pack_file
from driftline.agents.serving.package.signed import opened_manifest
from driftline.agents.serving.package.verify import MAX_FAULTS, faults, verify
from driftline.schemas.control import envelope as envelopes

ROW = GoldenRows({"X": np.zeros((1, 3), np.float32)}, {"p": np.zeros((1, 1), np.float32)})


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """Return the folder of a sound package."""
    return packed(tmp_path).folder


def why(folder: Path) -> str:
    """Return the sentence that refuses a package."""
    with pytest.raises(BrokenPackageError) as caught:
        verify(folder, KEYS)
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


def test_a_sound_package_passes(package: Path) -> None:
    """What was packed is verified, names its signer, and its digest is that of the manifest's payload."""
    signed = verify(package, KEYS)
    assert signed.signers == {SIGNER.keyid}
    assert signed.ref == signed.manifest.ref()


def test_a_wrong_digest_is_found(package: Path) -> None:
    """One byte that was changed, with the size kept, is found in the file that holds it."""
    data = bytearray((package / "model.onnx").read_bytes())
    data[-1] ^= 1
    (package / "model.onnx").write_bytes(data)
    assert "the file 'model.onnx' has the digest " in why(package)


def test_a_wrong_size_is_found(package: Path) -> None:
    """A file that grew is told by its size, without being read."""
    with (package / "model.onnx").open("ab") as file:
        file.write(b"x")
    assert "the file 'model.onnx' has 162 bytes; the manifest says 161" in why(package)


def test_a_missing_file_is_found(package: Path) -> None:
    """A file that is listed and not there is named."""
    (package / "golden.json").unlink()
    assert "'golden.json' is lacking" in why(package)


def test_a_surplus_file_is_found(package: Path) -> None:
    """A file that nobody listed is named, wherever it lies."""
    (package / "more").mkdir()
    (package / "more" / "w.bin").write_bytes(b"x")
    assert "the file 'more/w.bin' is not listed in the manifest" in why(package)


def test_an_empty_folder_is_found(package: Path) -> None:
    """A folder that holds nothing is listed nowhere, and named."""
    (package / "more" / "yet").mkdir(parents=True)
    assert "'more/yet/' is an empty folder: a package holds regular files alone" in why(package)


@pytest.mark.parametrize("to", ["model.onnx", "surplus", "/etc/hostname", "nowhere"])
def test_a_link_is_found(package: Path, to: str) -> None:
    """A symbolic link is refused in the place of a listed file and beside it, whatever it points to."""
    place = package / ("extra" if to == "model.onnx" else "model.onnx")
    place.unlink(missing_ok=True)
    place.symlink_to(to)
    assert "is a symbolic link: a package holds regular files alone" in why(package)


def test_a_folder_that_is_a_link_is_found(package: Path, tmp_path: Path) -> None:
    """A link to a folder inside a package, and a package that is a link itself, are refused."""
    (tmp_path / "alias").symlink_to(package)
    assert "is no folder" in why(tmp_path / "alias")
    (package / "below").symlink_to(tmp_path)
    assert "'below' is a symbolic link" in why(package)


def test_a_pipe_is_found(package: Path) -> None:
    """A pipe under the name of a file holds nobody up."""
    (package / "model.onnx").unlink()
    os.mkfifo(package / "model.onnx")
    assert "'model.onnx' is no regular file" in why(package)


def test_unlisted_external_data_is_found(tmp_path: Path) -> None:
    """An ONNX model that reads a file which the manifest does not list is refused, though the file is not there."""
    model = linear(tmp_path / "m.onnx", data="w.bin")
    folder = pack_file(model, order(tmp_path / "package")).folder
    (folder / "w.bin").unlink()
    signed_again(folder, listed=["golden.json", "model.onnx"])
    assert "the ONNX model reads the file 'w.bin' beside itself, which the manifest does not list" in why(
        folder
    )


@pytest.mark.parametrize("location", ["../w.bin", "/etc/w.bin", "a/../../w.bin"])
def test_external_data_elsewhere_is_found(tmp_path: Path, location: str) -> None:
    """An ONNX model that reads a file outside of its folder is refused."""
    model = moved(linear(tmp_path / "m.onnx", data="w.bin").read_bytes(), location)
    by_hand(tmp_path / "package", {"model.onnx": model}, rows=ROW)
    assert f"reads the file {location!r} beside itself" in why(tmp_path / "package")


def test_a_pickle_is_found_and_does_not_run(tmp_path: Path) -> None:
    """A package whose model is a pickle under the name of an ONNX file is refused, and the pickle does not run."""
    data = pickle.dumps(Betrayal(tmp_path / "witness"))
    by_hand(tmp_path / "package", {"model.onnx": data}, rows=ROW)
    assert "'model.onnx' is a pickle: loading it would run whatever its maker wrote" in why(
        tmp_path / "package"
    )
    assert not (tmp_path / "witness").exists()


@pytest.mark.parametrize(
    ("kind", "fields", "told"),
    [
        ("onnx", {}, "the ONNX model"),
        ("skops", {"format": "skops"}, "is no skops file: it is no zip"),
        ("safetensors", {"format": "safetensors", "architecture": "mlp"}, "is no safetensors file"),
    ],
)
def test_another_format_is_found(tmp_path: Path, kind: str, fields: dict[str, Any], told: str) -> None:
    """A model file that is not what the manifest says is refused before anything loads it."""
    by_hand(tmp_path / kind, {"model": b"\xff" * 40}, rows=ROW, **fields)
    assert told in why(tmp_path / kind)


def test_a_header_that_would_fill_the_memory_is_not_read(tmp_path: Path) -> None:
    """Five megabytes of empty lists would be hundreds in the agent itself, before any trial: refused unread."""
    header = b'{"a":[' + b"[]," * 1_700_000 + b"[]]}"
    data = len(header).to_bytes(8, "little") + header
    by_hand(tmp_path / "package", {"model": data}, rows=ROW, format="safetensors", architecture="mlp")
    assert f"its header has {len(header):,} bytes" in why(tmp_path / "package")


def changed_golden(package: Path, change: Callable[[dict[str, Any]], None]) -> str:
    """Return the sentence about golden rows that were changed and signed again."""
    said = msgspec.json.decode((package / "golden.json").read_bytes())
    change(said)
    (package / "golden.json").write_bytes(msgspec.json.encode(said))
    signed_again(package)
    return why(package)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda said: said["outputs"][0]["data"].__setitem__(3, "nan"), "golden row 3 is NaN or infinite"),
        (lambda said: said["outputs"][0].update(name="q"), "there is no output 'q'"),
        (lambda said: said["inputs"][0].update(datatype="FP64"), "the input 'X' is FP64; it must be FP32"),
        (lambda said: said["inputs"][0].update(shape=[16, 6]), "has shape [16, 6]; it must be [-1, 3]"),
        (lambda said: said["inputs"][0].update(shape=[-1, 3]), "96 elements for shape [-1, 3]"),
        (lambda said: said["inputs"][0]["data"].__setitem__(0, "x"), "holds 'x', which is no FP32"),
        (lambda said: said["inputs"][0]["data"].append(0.5), "97 elements for shape [32, 3]"),
        (lambda said: said["inputs"][0].update(data=[True] * 96), "holds 'True', which is no FP32"),
        (lambda said: said["inputs"].append(said["inputs"][0]), "the tensor 'X' stands there twice"),
        (lambda said: said.update(outputs=[]), "the output 'p' is lacking"),
        (lambda said: said.update(more=1), "unknown field `more`"),
        (
            lambda said: said["outputs"][0].update(data=said["outputs"][0]["data"][:4], shape=[4, 1]),
            "the golden rows have 32 questions and 4 answers",
        ),
    ],
)
def test_golden_rows_fit_the_manifest(
    package: Path, change: Callable[[dict[str, Any]], None], told: str
) -> None:
    """Golden rows of other tensors, without a finite answer or of no sense are refused."""
    assert told in changed_golden(package, change)


def test_a_profile_of_another_content_is_found(package: Path) -> None:
    """A file that is no profile, where the manifest says one is, is refused."""
    (package / "p").write_bytes(b"no profile")
    signed_again(
        package, listed=["golden.json", "model.onnx", "p"], profile=Reference(file="p", digest="0" * 64)
    )
    assert "'p' is no profile" in why(package)


def test_faults_are_counted(package: Path) -> None:
    """The first fault is told with how many more there are, and at most 20 are looked for."""
    for number in range(30):
        (package / f"surplus{number}").write_bytes(b"")
    manifest = Manifest.from_bytes(opened_manifest((package / FILE).read_bytes(), KEYS).manifest.to_bytes())
    assert len(list(faults(package, manifest))) == MAX_FAULTS
    assert "(and 19 more faults)" in why(package)


def test_a_folder_of_a_thousand_files_is_refused(package: Path) -> None:
    """A folder with far more files than a package may have is not walked to its end."""
    for number in range(300):
        (package / f"surplus{number}").write_bytes(b"")
    assert "holds more than 256 files" in why(package)


def test_nobody_who_may_signed_it(package: Path) -> None:
    """A signature by a key that may not sign packages is none, and the sentence names the key."""
    with pytest.raises(
        UntrustedPackageError, match=f"signed by {SIGNER.keyid[:16]}, and by none of the 1 keys"
    ):
        verify(package, {key("other").keyid: key("other").public})
    with pytest.raises(UntrustedPackageError, match="none of the 0 keys"):
        verify(package, {})


def test_a_false_signature_is_found(package: Path) -> None:
    """A manifest that was changed after it was signed is refused."""
    data = (package / FILE).read_bytes()
    said = msgspec.json.decode(data)
    other = sign(envelopes.MANIFEST, signed_again(package, key("other")).to_bytes(), key("other"))
    (package / FILE).write_bytes(msgspec.json.encode(said | {"payload": other.payload[:-8] + "AAAAAAA="}))
    with pytest.raises(UntrustedPackageError, match="the package is not to be trusted"):
        verify(package, KEYS)


def test_another_signed_thing_is_no_manifest(package: Path) -> None:
    """An envelope that was signed as a command cannot be passed off as a manifest."""
    payload = opened_manifest((package / FILE).read_bytes(), KEYS).manifest.to_bytes()
    (package / FILE).write_bytes(sign(envelopes.COMMAND, payload, SIGNER).to_bytes())
    assert "and is no manifest" in why(package)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[]",
        b"\x00" * 100,
        b"{" * 70_000,
        b'{"payload":"!"}',
        b'{"payload":"\x80"}',
        b'{"x":' + b"[" * 60_000,
    ],
)
def test_what_is_no_envelope_is_refused(package: Path, data: bytes) -> None:
    """Bytes that are no envelope are one sentence."""
    (package / FILE).write_bytes(data)
    with pytest.raises(PackageError):
        verify(package, KEYS)


@pytest.mark.parametrize(
    ("bound", "most", "said"),
    [
        ("MAX_FILE_BYTES", 100, "'golden.json' of churn 3 has .* bytes; 100 are allowed"),
        ("MAX_PACKAGE_BYTES", 200, "the files of churn 3 have .* bytes; 200 are allowed"),
    ],
)
def test_sizes_are_held_before_a_byte_is_read(
    bound: str, most: int, said: str, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A manifest that lists more than is allowed is refused by its own word."""
    monkeypatch.setattr(f"driftline.agents.serving.package.signed.{bound}", most)
    with pytest.raises(BrokenPackageError, match=said):
        opened_manifest((package / FILE).read_bytes(), KEYS)
