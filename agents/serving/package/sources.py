"""Sources of packages: a file of each format, told by its content, or an estimator in memory."""

from __future__ import annotations

import struct
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from driftline.agents.serving.package import rows as asked
from driftline.agents.serving.package.contents import refuse_pickles
from driftline.agents.serving.package.errors import BrokenPackageError, PackageError, said
from driftline.agents.serving.package.folder import opened
from driftline.agents.serving.package.inside import external_files
from driftline.agents.serving.package.layout import is_plain_path
from driftline.agents.serving.package.manifest import Format
from driftline.agents.serving.package.tensors import Tensor
from driftline.schemas.scalars import text_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from driftline.agents.serving.package.about import About
    from driftline.agents.serving.package.model import LoadedModel

SKOPS_SCHEMA: Final = "schema.json"
"""The member that makes a zip a skops file."""


@dataclass(frozen=True, slots=True)
class Source:
    """A model that was loaded, and what it is made of.

    Attributes:
        format: of its file.
        path: of its file within the package.
        files: path within the package -> the file that is copied there.
        model: the model itself.
        inputs: its inputs, with names for the columns of a matrix where they are known.
        classes: of an estimator that classifies, in order; empty where the format does not say.
        architecture, config, as_frame: as in the manifest.
        kept_because: why an estimator was not converted; empty where it was, or was none.
    """

    format: Format
    path: str
    files: dict[str, Path]
    model: LoadedModel
    inputs: tuple[Tensor, ...]
    classes: tuple[str, ...] = ()
    architecture: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    as_frame: bool = False
    kept_because: str = ""


def format_of(path: Path) -> Format:
    """Tell a format by a file's content.

    Raises:
        BrokenPackageError: it is a pickle, a link or of none of the formats.
    """
    if path.is_dir():
        raise BrokenPackageError(f"{path} is a folder: name the model's file in it")
    with opened(path.parent, path.name) as file:
        refuse_pickles(str(path), file)
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as packed:
                if SKOPS_SCHEMA in packed.namelist():
                    return "skops"
            raise BrokenPackageError(
                f"{path} is a zip and no skops file: pack an ONNX, skops or safetensors file"
            )
        file.seek(0)
        head = file.read(9)
        if len(head) == 9 and head[8:] == b"{" and struct.unpack("<Q", head[:8])[0] < 1 << 32:  # noqa: PLR2004 - 8 + 1
            return "safetensors"
        try:
            external_files(file)
        except BrokenPackageError as error:
            raise BrokenPackageError(f"{path} is neither ONNX ({error}) nor skops nor safetensors") from error
    return "onnx"


def from_onnx(path: Path, about: About) -> Source:
    """Take an ONNX file, with the files that it reads beside itself.

    Raises:
        PackageError: such a file has no plain name below the model's folder, is lacking or a link; the model does not
            load; `columns` do not fit it.
    """
    from driftline.agents.serving.package.onnx import OnnxModel  # noqa: PLC0415 - each library for who needs it

    files = {"model.onnx": path}
    with opened(path.parent, path.name) as file:
        beside = external_files(file)
    for location in beside:
        if not is_plain_path(location):
            raise PackageError(
                f"{path} reads the file {location[:200]!r} beside itself, and a package lists plain names below its "
                "own folder alone: save the model with its data in one file beside it"
            )
        with opened(path.parent, location):
            files[location] = path.parent / location
    model = OnnxModel(path)
    return Source("onnx", "model.onnx", files, model, _named_columns(model.inputs, about.columns))


def from_safetensors(path: Path, about: About) -> Source:
    """Take weights, in the architecture and with the tensors that `about` names.

    Raises:
        PackageError: no architecture is named, none of that name is installed, or they do not fit.
    """
    from driftline.agents.serving.package import safetensors  # noqa: PLC0415 - as above

    if not about.architecture:
        raise PackageError(f"{path} holds weights alone: name their architecture (an installed entry point)")
    if not (about.inputs and about.outputs):
        raise PackageError(
            f"{path} holds weights alone: give the model's tensors as [[inputs]] and [[outputs]]"
        )
    model = safetensors.load(path, about.architecture, about.config, about.inputs, about.outputs)
    return Source(
        "safetensors",
        "model.safetensors",
        {"model.safetensors": path},
        model,
        about.inputs,
        architecture=about.architecture,
        config=about.config,
    )


def from_skops(
    path: Path, about: About, rows: asked.Rows, *, trusted: Collection[str], convert: bool, work: Path
) -> Source:
    """Take a skops file; as ONNX where `convert` says so and it can be said so. Arguments as `from_estimator`.

    Raises:
        PackageError: it holds a type that is not among `trusted`, or what `from_estimator` raises.
    """
    from driftline.agents.serving.package import skops  # noqa: PLC0415 - as above

    return from_estimator(skops.loaded(path, trusted), about, rows, convert=convert, work=work, saved=path)


def from_estimator(
    estimator: Any,  # noqa: ANN401 - an estimator has no type of ours
    about: About,
    rows: asked.Rows,
    *,
    convert: bool,
    work: Path,
    saved: Path | None = None,
) -> Source:
    """Take a fitted estimator.

    Args:
        estimator: with scikit-learn's `predict`.
        about: `columns` name its columns where it does not know them.
        rows: columns by name, or its matrix; they decide which columns are texts.
        convert: whether it becomes ONNX where it can; else, and where it cannot, it becomes a skops file.
        work: an empty folder for the files that are made.
        saved: the skops file that it came from.

    Raises:
        PackageError: it does not predict, or its columns are not among the rows.
    """
    from driftline.agents.serving.package.convert import NotConvertedError, converted  # noqa: PLC0415 - as above

    inputs = asked.inputs_of(_names(estimator, about), rows)
    model, as_frame = _wrapped(estimator, inputs, asked.as_tensors(rows, inputs))
    why = "it was asked to stay as it is"
    if convert:
        try:
            made = converted(estimator, model, asked.as_tensors(rows, inputs), work / "model.onnx")
        except NotConvertedError as error:
            why = str(error)
        else:
            named = _named_columns(made.inputs, inputs[0].columns)
            classes = _classes(estimator, made)
            return Source("onnx", "model.onnx", {"model.onnx": work / "model.onnx"}, made, named, classes)
    if saved is None:
        from skops import io as skops_io  # noqa: PLC0415 - as above

        saved = work / "model.skops"
        skops_io.dump(estimator, saved)
    return Source(
        "skops",
        "model.skops",
        {"model.skops": saved},
        model,
        inputs,
        _classes(estimator, model),
        as_frame=as_frame,
        kept_because=why,
    )


def _wrapped(
    estimator: Any,  # noqa: ANN401 - as above
    inputs: tuple[Tensor, ...],
    questions: Mapping[str, NDArray[Any]],
) -> tuple[LoadedModel, bool]:
    """Wrap an estimator, and find whether it must be asked with a data frame: that costs time with every request."""
    from driftline.agents.serving.package.skops import SkopsModel  # noqa: PLC0415 - as above

    model = SkopsModel(estimator, inputs)
    try:
        model.predict(questions)
    except Exception as error:
        if not hasattr(estimator, "feature_names_in_"):
            raise PackageError(f"the estimator does not answer the rows: {said(error)}") from error
        framed = SkopsModel(estimator, inputs, as_frame=True)
        try:
            framed.predict(questions)
        except Exception as again:
            raise PackageError(f"the estimator does not answer the rows: {said(again)}") from again
        return framed, True
    return model, False


def _classes(estimator: Any, model: LoadedModel) -> tuple[str, ...]:  # noqa: ANN401 - as above
    """Give the classes of an estimator as events will name them: as the class that its model answers is written."""
    classes = np.asarray(getattr(estimator, "classes_", ()))
    if classes.size and model.outputs[0].datatype == "INT64":
        classes = classes.astype(np.int64)  # truth values and whole floats are answered as whole numbers
    return tuple(str(text_of(each)) for each in classes.tolist())


def _names(estimator: Any, about: About) -> tuple[str, ...]:  # noqa: ANN401 - as above
    known = getattr(estimator, "feature_names_in_", None)
    return about.columns if known is None else tuple(str(name) for name in known)


def _named_columns(inputs: Sequence[Tensor], columns: tuple[str, ...]) -> tuple[Tensor, ...]:
    """Give names to the columns of a model's one matrix."""
    if not columns:
        return tuple(inputs)
    first = inputs[0]
    if len(inputs) != 1 or len(first.shape) != 2 or first.shape[1] not in (-1, len(columns)):  # noqa: PLR2004 - a matrix
        shapes = ", ".join(f"{tensor.name} {list(tensor.shape)}" for tensor in inputs)
        raise PackageError(f"{len(columns)} columns are named, and the model's inputs are {shapes}")
    return (Tensor(name=first.name, datatype=first.datatype, shape=(-1, len(columns)), columns=columns),)
