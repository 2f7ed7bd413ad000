"""Manifest: what a package is, whose it is and which files it has; the payload of a signed envelope."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Final, Literal, TypeAlias

import msgspec

from driftline.agents.serving.package.contradictions import contradiction
from driftline.agents.serving.package.errors import BrokenPackageError
from driftline.agents.serving.package.layout import MAX_FILES, Path
from driftline.agents.serving.package.tensors import Tensor
from driftline.schemas.control.command import ModelRef, Name
from driftline.schemas.control.envelope import Digest
from driftline.schemas.control.reading import without_twins
from driftline.schemas.control.serving_state import Tier
from driftline.schemas.deployment import Name as Label
from driftline.schemas.deployment import Weight

MAX_BYTES: Final = 24_000
"""Of the payload: a command carries the signed manifest within an envelope of its own, and base64 grows twice."""

Format: TypeAlias = Literal["onnx", "skops", "safetensors"]
Provenance: TypeAlias = Literal["held-out", "out-of-fold", "in-sample", "none"]
Size = Annotated[int, msgspec.Meta(ge=0, le=1 << 40)]
Tolerance = Annotated[float, msgspec.Meta(ge=0, le=1)]


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A table of the manifest: no unknown key, and defaults left out."""


class File(_Part, frozen=True):
    """One file: where it lies, its bytes, their sha256."""

    path: Path
    size: Size
    sha256: Digest


class Score(_Part, frozen=True):
    """A number of each row that events carry as a score.

    Attributes:
        name: as the profile and the events call it.
        output: the tensor that holds it.
        column: where along the output's second axis; 0 for one value a row.
    """

    name: Label
    output: Label
    column: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 0


class Golden(_Part, frozen=True):
    """Rows whose answers are known.

    Attributes:
        file: which of the files holds them.
        rows: how many.
        rtol, atol: an answer may be off by `atol + rtol * |expected|`; whole numbers and texts by nothing.
    """

    file: Path
    rows: Annotated[int, msgspec.Meta(ge=1, le=10_000)]
    rtol: Tolerance
    atol: Tolerance


class Reference(_Part, frozen=True):
    """The reference profile: which file holds it, and the digest of its content (`Profile.digest`)."""

    file: Path
    digest: Digest


class Manifest(_Part, frozen=True):
    """What a package is.

    Attributes:
        name, version: of the model.
        format: what loads it.
        model: which of the files is loaded; others may be read by it.
        files: every file but the manifest's own.
        inputs, outputs: what the model is asked with and answers.
        golden: rows whose answers are known.
        profile: the reference profile; None where none was built.
        scores: which outputs events carry as scores.
        predicted: the output that holds the class, or the number, that was predicted; empty for none.
        target: what is predicted, as the model's people call it.
        classes: of a classifier, in the order of its scores; empty for others.
        segments: inputs whose values make segments.
        feature_importance: input column -> how much the model leans on it.
        owner, purpose: who answers for it, and what it is for.
        tier: of risk.
        oversight: the person who watches over it and can stop it.
        training_data: sha256 of the data that it learnt from.
        provenance: where the scores of the profile come from.
        architecture: of safetensors: the name of an installed entry point of `driftline.architectures`.
        config: of safetensors: what the architecture is called with beside the weights.
        as_frame: of skops: whether the estimator is asked with a data frame (pandas), because it picks columns by name.
    """

    name: Name
    version: Name
    format: Format
    model: Path
    files: Annotated[tuple[File, ...], msgspec.Meta(min_length=1, max_length=MAX_FILES)]
    inputs: Annotated[tuple[Tensor, ...], msgspec.Meta(min_length=1)]
    outputs: Annotated[tuple[Tensor, ...], msgspec.Meta(min_length=1)]
    golden: Golden
    owner: Label
    purpose: Annotated[str, msgspec.Meta(min_length=1, max_length=2_000)]
    tier: Tier
    oversight: Label
    training_data: Digest
    provenance: Provenance
    target: Label
    profile: Reference | None = None
    scores: tuple[Score, ...] = ()
    predicted: str = ""
    classes: tuple[Label, ...] = ()
    segments: tuple[Label, ...] = ()
    feature_importance: dict[Label, Weight] = {}
    architecture: Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9._-]{0,100}\Z")] = ""
    config: dict[Label, str | bool | int | float] = {}
    as_frame: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """What the columns of all inputs are called in events."""
        return tuple(name for tensor in self.inputs for name in tensor.names)

    @property
    def total_bytes(self) -> int:
        """Of all its files."""
        return sum(file.size for file in self.files)

    @property
    def title(self) -> str:
        """How sentences call the package."""
        return f"{self.name} {self.version}"

    def to_bytes(self) -> bytes:
        """Give the payload: JSON with its fields in the order of their names.

        Raises:
            BrokenPackageError: it is larger than a manifest may be.
        """
        payload = msgspec.json.encode(self, order="sorted")
        if len(payload) > MAX_BYTES:
            raise BrokenPackageError(
                f"the manifest of {self.title} takes {len(payload):,} bytes, and {MAX_BYTES:,} are allowed: give "
                "fewer weights in feature_importance, or shorter names"
            )
        return payload

    def ref(self) -> ModelRef:
        """How commands name the package."""
        return ModelRef(name=self.name, version=self.version, manifest=digest_of(self.to_bytes()))

    @classmethod
    def from_bytes(cls, payload: bytes) -> Manifest:
        """Read a payload.

        Raises:
            BrokenPackageError: it is too large, no manifest, or its parts contradict one another.
        """
        if len(payload) > MAX_BYTES:
            raise BrokenPackageError(f"a manifest has {len(payload):,} bytes; {MAX_BYTES:,} are allowed")
        try:
            found = msgspec.json.decode(without_twins(payload), type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise BrokenPackageError(f"the manifest cannot be read: {_plain(error)}") from error
        wrong = contradiction(found)
        if wrong:
            raise BrokenPackageError(f"the manifest of {found.title} contradicts itself: {wrong}")
        return found


def digest_of(payload: bytes) -> str:
    """Give the digest that names a manifest, and with it the package: sha256 of the payload."""
    return hashlib.sha256(payload).hexdigest()


def _plain(error: Exception) -> str:
    """What was said, in one line without its last dot."""
    return re.sub(r"\s+", " ", str(error)).rstrip(".")[:300]
