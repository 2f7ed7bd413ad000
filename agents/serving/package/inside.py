"""What is inside of a package's files: no pickle, the format it says, golden rows and a profile that fit it."""

from __future__ import annotations

import json
import mmap
import struct
from functools import partial
from typing import IO, TYPE_CHECKING, Final

from driftline.agents.serving.package import golden, onnx_wire
from driftline.agents.serving.package.contents import refuse_pickles
from driftline.agents.serving.package.errors import BrokenPackageError, PackageError
from driftline.agents.serving.package.folder import opened, read, shown
from driftline.schemas.codec import max_bytes
from driftline.schemas.profile import Profile
from driftline.schemas.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from driftline.agents.serving.package.manifest import Manifest

_SAFETENSORS_HEADER_BYTES: Final = 4 << 20
"""Of some 30,000 tensors. The library allows 100 MB, which as objects would take the agent's own memory."""


def content_faults(folder: Path, manifest: Manifest) -> Iterator[str]:
    """Give what is wrong inside of files that are as listed: pickles, other formats, golden rows, profile."""
    checks: list[Callable[[], object]] = [
        partial(_without_pickle, folder, file.path) for file in manifest.files
    ]
    checks += [
        partial(check, folder, manifest) for check in (_of_its_format, _golden_rows_fit, _profile_fits)
    ]
    for check in checks:
        try:
            check()
        except PackageError as error:
            yield str(error)


def _golden_rows_fit(folder: Path, manifest: Manifest) -> None:
    golden.read(read(folder, manifest.golden.file, golden.MAX_BYTES), manifest.inputs, manifest.outputs)


def _without_pickle(folder: Path, path: str) -> None:
    with opened(folder, path) as file:
        refuse_pickles(shown(path), file)


def _of_its_format(folder: Path, manifest: Manifest) -> None:
    with opened(folder, manifest.model) as file:
        if manifest.format == "onnx":
            _external_data_is_listed(file, manifest)
        elif manifest.format == "safetensors":
            _has_header(file, manifest.model)
        elif file.read(2) != b"PK":
            raise BrokenPackageError(f"{shown(manifest.model)} is no skops file: it is no zip")


def _external_data_is_listed(file: IO[bytes], manifest: Manifest) -> None:
    at = manifest.model.rpartition("/")[0]
    known = {listed_file.path for listed_file in manifest.files}
    for location in external_files(file):
        path = f"{at}/{location}" if at else location
        if path not in known:
            raise BrokenPackageError(
                f"the ONNX model reads the file {shown(location)} beside itself, which the manifest does not list"
            )


def external_files(file: IO[bytes]) -> list[str]:
    """Give the files that an ONNX model reads beside itself; raises BrokenPackageError where it is no such model."""
    if file.seek(0, 2) == 0:
        raise BrokenPackageError("the ONNX model is an empty file")
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return onnx_wire.external_files(data)


def _has_header(file: IO[bytes], path: str) -> None:
    """Raise unless a file begins as safetensors do: the length of a JSON object, and the object."""
    head = file.read(8)
    length = struct.unpack("<Q", head)[0] if len(head) == struct.calcsize("<Q") else 0
    if not 1 < length <= _SAFETENSORS_HEADER_BYTES:
        raise BrokenPackageError(f"{shown(path)} is no safetensors file: its header has {length:,} bytes")
    try:
        header = json.loads(file.read(length))
    except (ValueError, RecursionError) as error:
        raise BrokenPackageError(f"{shown(path)} is no safetensors file: its header is no JSON") from error
    if not isinstance(header, dict):
        raise BrokenPackageError(f"{shown(path)} is no safetensors file: its header is no JSON object")


def _profile_fits(folder: Path, manifest: Manifest) -> None:
    if manifest.profile is None:
        return
    profile = read_profile(folder, manifest.profile.file)
    if profile.digest() != manifest.profile.digest:
        raise BrokenPackageError(
            f"the profile has the digest {profile.digest()[:16]}…; the manifest says {manifest.profile.digest[:16]}…"
        )
    wrong = misfit(profile, manifest)
    if wrong:
        raise BrokenPackageError(wrong)


def read_profile(folder: Path, path: str) -> Profile:
    """Read a profile file below a folder; raises BrokenPackageError when it is lacking, a link, or no profile."""
    try:
        return Profile.from_bytes(read(folder, path, max_bytes("Profile")))
    except Refused as error:
        raise BrokenPackageError(f"{shown(path)} is no profile: {error}") from error


def misfit(profile: Profile, manifest: Manifest) -> str:
    """Give why a profile is not the reference of a package; an empty text when it may be."""
    if profile.model_version != manifest.version:
        return f"the profile is of version {profile.model_version!r}, the package of version {manifest.version!r}"
    if profile.provenance != manifest.provenance:
        return f"the profile says {profile.provenance} of its scores, the manifest {manifest.provenance}"
    columns, scores = set(manifest.columns), {score.name for score in manifest.scores}
    for column in profile.columns:
        if column.role == "feature" and column.name not in columns:
            return (
                f"the profile counts the feature {column.name!r}, which is no column of the model's inputs: build it "
                "from rows as the model is asked with them"
            )
        if column.role == "score" and column.name not in scores:
            return f"the profile counts the score {column.name!r}, and the manifest takes none of that name"
    return ""
