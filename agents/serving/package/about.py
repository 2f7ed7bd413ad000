"""About: what people say of a model when they pack it, as a TOML file; the manifest takes it over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, get_args, get_origin

import msgspec

from driftline.agents.serving.package.errors import PackageError
from driftline.agents.serving.package.manifest import Provenance, Score
from driftline.agents.serving.package.tensors import Tensor
from driftline.schemas.control.command import Name
from driftline.schemas.control.envelope import Digest
from driftline.schemas.control.serving_state import Tier
from driftline.schemas.deployment import Name as Label
from driftline.schemas.deployment import Weight
from driftline.schemas.sources import SHOWN_CHARS, SettingsError, nearest, read_document

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Meta = msgspec.Meta
_LABEL: Final = "a text of 1 to 200 printable characters"
_SHARE: Final = "a number, 0 to 1"


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What people say of a model; attributes as in `manifest.Manifest`, but for these.

    Attributes:
        training_data: digest of the data that it learnt from.
        provenance: None takes what the profile says, else none.
        scores: empty takes what profile, classes and outputs say.
        columns: names of the columns of a model's one matrix, where the model does not know them.
        inputs, outputs: of safetensors, which do not say them.
        rtol, atol: how far an answer to a golden row may be off; None takes what its type allows.
    """

    name: Annotated[Name, Meta(description="1 to 100 letters, digits, dots, dashes and underscores")]
    version: Annotated[Name, Meta(description="1 to 100 letters, digits, dots, dashes and underscores")]
    target: Annotated[Label, Meta(description=_LABEL)]
    owner: Annotated[Label, Meta(description=_LABEL)]
    purpose: Annotated[
        str, Meta(description="a text of 1 to 2,000 characters", min_length=1, max_length=2_000)
    ]
    tier: Annotated[Tier, Meta(description="low, medium or high")]
    oversight: Annotated[
        Label, Meta(description="the person who watches over it, 1 to 200 printable characters")
    ]
    training_data: Annotated[Digest, Meta(description="a sha256 in 64 lower-case hex digits")]
    provenance: Annotated[Provenance, Meta(description="held-out, out-of-fold, in-sample or none")] | None = (
        None
    )
    classes: Annotated[
        tuple[Label, ...], Meta(description="a list of texts, in the order of the scores")
    ] = ()
    segments: Annotated[tuple[Label, ...], Meta(description="a list of input columns")] = ()
    feature_importance: Annotated[
        dict[Label, Weight], Meta(description="a table of numbers, 0 to 1,000,000,000, by input column")
    ] = {}
    scores: Annotated[
        tuple[Score, ...], Meta(description="tables [[scores]] of name, output and column")
    ] = ()
    predicted: Annotated[str, Meta(description="the name of an output")] = ""
    columns: Annotated[
        tuple[Label, ...], Meta(description="a list of texts, in the order of the matrix")
    ] = ()
    inputs: Annotated[
        tuple[Tensor, ...], Meta(description="tables [[inputs]] of name, datatype, shape and columns")
    ] = ()
    outputs: Annotated[
        tuple[Tensor, ...], Meta(description="tables [[outputs]] of name, datatype and shape")
    ] = ()
    architecture: Annotated[
        str, Meta(description="the name of an installed architecture", pattern=r"\A[A-Za-z0-9._-]{0,100}\Z")
    ] = ""
    config: Annotated[
        dict[Label, str | bool | int | float], Meta(description="a table of texts, numbers and booleans")
    ] = {}
    rtol: Annotated[float, Meta(description=_SHARE, ge=0, le=1)] | None = None
    atol: Annotated[float, Meta(description=_SHARE, ge=0, le=1)] | None = None


def read_about(path: Path, given: Mapping[str, Any]) -> About:
    """Read what a TOML file says, and over it what was given otherwise.

    Args:
        path: of the file.
        given: key -> value, of options; None values are left out.

    Raises:
        PackageError: the file cannot be read, a key is unknown or lacking, or a value is not allowed.
    """
    try:
        return parse_about(
            {**read_document(path), **{k: v for k, v in given.items() if v is not None}}, str(path)
        )
    except SettingsError as error:
        raise PackageError(str(error)) from error


def parse_about(document: Mapping[str, Any], file: str) -> About:
    """Read the tables of a TOML document; raises SettingsError as `read_about` does, which names `file`."""
    fields = {field.name: field for field in msgspec.structs.fields(About)}
    for name in document:
        if name not in fields:
            raise SettingsError(f"{file} has the unknown key {name}{nearest(name, fields)}")
    for name, field in fields.items():
        if field.required and name not in document:
            raise SettingsError(f"{file}: {name} is lacking; it must be {_allowed(field.type)}")
    return About(
        **{name: _read(f"{file}: {name}", given, fields[name].type) for name, given in document.items()}
    )


def _read(place: str, given: Any, kind: Any) -> Any:  # noqa: ANN401 - what TOML gives, and what it becomes, has any type
    try:
        return msgspec.convert(given, kind)
    except (msgspec.ValidationError, OverflowError) as error:
        raise SettingsError(f"{place} is {repr(given)[:SHOWN_CHARS]}; it must be {_allowed(kind)}") from error


def _allowed(kind: Any) -> str:  # noqa: ANN401 - as above
    """The description of a type, which for an optional one stands on what is not None."""
    held = (
        kind
        if get_origin(kind) is Annotated
        else next(each for each in get_args(kind) if each is not type(None))
    )
    return [meta.description for meta in held.__metadata__ if isinstance(meta, Meta) and meta.description][-1]
