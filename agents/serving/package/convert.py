"""Estimators of scikit-learn as ONNX, where skl2onnx can say them and the outcome answers as the estimator does."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from driftline.agents.serving.package import golden
from driftline.agents.serving.package.errors import PackageError, said
from driftline.agents.serving.package.tensors import DTYPES, Datatype, Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import onnx
    from numpy.typing import NDArray

    from driftline.agents.serving.package.model import LoadedModel
    from driftline.agents.serving.package.onnx import OnnxModel

RTOL: Final = 1e-4
ATOL: Final = 1e-5
"""How far a converted model's answers may lie from the estimator's: what arithmetic in 32 bits costs."""
_NARROW: Final = "narrow_"


class NotConvertedError(PackageError):
    """An estimator that stays as it is; the text says why."""


def converted(
    estimator: Any,  # noqa: ANN401 - an estimator has no type of ours
    model: LoadedModel,
    rows: Mapping[str, NDArray[Any]],
    to: Path,
) -> OnnxModel:
    """Convert an estimator, and hold the outcome against it on rows.

    It is to count in 64 bits, as scikit-learn does, and where it cannot, in 32; it takes and gives 64 in both, so that
    how one version was converted keeps no other from taking its place.

    Args:
        estimator: fitted.
        model: the same, wrapped: its inputs are those of the outcome.
        rows: what both are asked with, as `model` takes them.
        to: the file that is written.

    Raises:
        NotConvertedError: skl2onnx is lacking or cannot say it, onnxruntime does not take it, or it answers otherwise.
    """
    if find_spec("skl2onnx") is None:
        raise NotConvertedError("skl2onnx is not installed (pip install skl2onnx)")
    expected = model.predict(rows)
    why = ""
    inputs = [_as_numbers(tensor) for tensor in model.inputs]
    for is_narrow in (False, True):
        try:
            to.write_bytes(_said(estimator, inputs, is_narrow=is_narrow))
            made = _loaded(to)
            found = made.predict({
                tensor.name: rows[tensor.name].astype(DTYPES[tensor.datatype], copy=False) for tensor in inputs
            })  # fmt: skip
        except Exception as error:  # noqa: BLE001 - skl2onnx and onnxruntime raise what they like
            why = f"skl2onnx or onnxruntime says: {said(error)}"
            continue
        off = _difference(expected, found)
        if not off:
            return made
        why = off
    to.unlink(missing_ok=True)
    raise NotConvertedError(why)


def _said(estimator: Any, inputs: Sequence[Tensor], *, is_narrow: bool) -> bytes:  # noqa: ANN401 - as above
    from skl2onnx import to_onnx  # noqa: PLC0415 - it takes a second, and only who packs has it
    from skl2onnx.common import data_types as kinds  # noqa: PLC0415

    known = {
        "FP64": kinds.FloatTensorType if is_narrow else kinds.DoubleTensorType,
        "INT64": kinds.Int64TensorType,
        "BOOL": kinds.BooleanTensorType,
        "BYTES": kinds.StringTensorType,
    }
    types = [
        (tensor.name, known[tensor.datatype]([None, tensor.shape[1] if len(tensor.shape) > 1 else 1]))
        for tensor in inputs
    ]
    options = {"zipmap": False} if hasattr(estimator, "classes_") else None
    with warnings.catch_warnings(), _whole_flags():
        warnings.simplefilter("ignore")
        made = to_onnx(estimator, initial_types=types, options=options)
    told: bytes = (_widened(made) if is_narrow else made).SerializeToString()
    return told


def _widened(model: onnx.ModelProto) -> onnx.ModelProto:
    """Put casts around a model that counts in 32 bits: it takes and gives 64."""
    from onnx import TensorProto, compose, helper  # noqa: PLC0415 - as above

    inner = compose.add_prefix(model, _NARROW)
    graph = inner.graph
    before: list[onnx.NodeProto] = []
    after: list[onnx.NodeProto] = []
    for values, nodes in ((graph.input, before), (graph.output, after)):
        for value in values:
            within, value.name = value.name, value.name.removeprefix(_NARROW)
            ends = ([value.name], [within]) if nodes is before else ([within], [value.name])
            if value.type.tensor_type.elem_type == TensorProto.FLOAT:
                value.type.tensor_type.elem_type = TensorProto.DOUBLE
                kind = TensorProto.FLOAT if nodes is before else TensorProto.DOUBLE
                nodes.append(helper.make_node("Cast", *ends, to=kind))
            else:
                nodes.append(helper.make_node("Identity", *ends))
    whole = [*before, *graph.node, *after]
    del graph.node[:]
    graph.node.extend(whole)
    return inner


@contextmanager
def _whole_flags() -> Iterator[None]:
    """Hand flags to onnx as whole numbers: skl2onnx 1.20 hands truth values, which onnx 1.23 refuses."""
    from skl2onnx.common import _container  # noqa: PLC0415 - as above

    made = _container.make_node

    def make(kind: str, inputs: list[str], outputs: list[str], **attributes: Any) -> Any:  # noqa: ANN401 - as onnx has it
        plain = {
            name: _whole(value) if isinstance(value, list) else value for name, value in attributes.items()
        }
        return made(kind, inputs, outputs, **plain)

    _container.make_node = make
    try:
        yield
    finally:
        _container.make_node = made


def _whole(values: list[Any]) -> list[Any]:
    return [int(value) if isinstance(value, bool | np.bool_) else value for value in values]


def _loaded(path: Path) -> OnnxModel:
    from driftline.agents.serving.package.onnx import OnnxModel  # noqa: PLC0415 - as above

    return OnnxModel(path)


def _as_numbers(tensor: Tensor) -> Tensor:
    """An input as the outcome has it: floats of one width, one column of a matrix where it is one value a row."""
    shape = tensor.shape if len(tensor.shape) > 1 else (-1, 1)
    kind: Datatype = "FP64" if tensor.datatype in ("FP32", "FP64") else tensor.datatype
    return Tensor(name=tensor.name, datatype=kind, shape=shape, columns=tensor.columns)


def _difference(expected: Mapping[str, NDArray[Any]], found: Mapping[str, NDArray[Any]]) -> str:
    """Where the outcome answers otherwise, as a sentence; an empty text where it does not."""
    if expected.keys() != found.keys():
        return f"it answers {', '.join(found)} where the estimator answers {', '.join(expected)}"
    alike: dict[str, NDArray[Any]] = {}
    for name, wanted in expected.items():
        array = found[name].reshape(wanted.shape) if found[name].size == wanted.size else found[name]
        if array.shape != wanted.shape:
            return f"its answer {name!r} has shape {list(array.shape)} where the estimator's has {list(wanted.shape)}"
        alike[name] = array.astype(wanted.dtype) if wanted.dtype.kind == "f" else array
    off = golden.difference(expected, alike, rtol=RTOL, atol=ATOL)
    return "" if off is None else f"as ONNX its answer {off}"
