"""ONNX models in onnxruntime, on the CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import onnxruntime

from driftline.agents.serving.package.errors import LoadError, said
from driftline.agents.serving.package.tensors import ANY, Datatype, Tensor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_TYPES: Final[dict[str, Datatype]] = {
    "tensor(bool)": "BOOL",
    "tensor(uint8)": "UINT8",
    "tensor(uint16)": "UINT16",
    "tensor(uint32)": "UINT32",
    "tensor(uint64)": "UINT64",
    "tensor(int8)": "INT8",
    "tensor(int16)": "INT16",
    "tensor(int32)": "INT32",
    "tensor(int64)": "INT64",
    "tensor(float16)": "FP16",
    "tensor(float)": "FP32",
    "tensor(double)": "FP64",
    "tensor(string)": "BYTES",
}
_FATAL_ONLY: Final = 4


class OnnxModel:
    """A session; calls run at once in as many threads as there are callers, each with `threads` of its own."""

    def __init__(self, path: Path, *, threads: int = 1) -> None:
        """Load a model.

        Raises:
            LoadError: onnxruntime does not take it, or its tensors are of types that no request can carry.
        """
        self._session = _session(path, threads)
        try:
            self.inputs = _tensors("input", self._session.get_inputs())
            self.outputs = _tensors("output", self._session.get_outputs())
        except LoadError as error:
            raise LoadError(f"the ONNX model {path.name} cannot be served: {error}") from error
        self._names = [tensor.name for tensor in self.outputs]

    def predict(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Answer rows; raises what onnxruntime raises."""
        return dict(zip(self._names, self._session.run(self._names, dict(inputs)), strict=True))

    def close(self) -> None:
        """Let go of the session."""
        del self._session


def _session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _FATAL_ONLY  # what fails is raised; stderr is for people
    # An arena keeps the memory of the largest request for ever; threads that spin take the core of another request.
    options.enable_cpu_mem_arena = False
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except MemoryError:
        raise
    except Exception as error:  # onnxruntime's errors have no base of their own
        raise LoadError(f"onnxruntime does not load {path.name}: {said(error)}") from error


def _tensors(what: str, found: Sequence[onnxruntime.NodeArg]) -> tuple[Tensor, ...]:
    return tuple(_tensor(what, each) for each in found)


def _tensor(what: str, found: onnxruntime.NodeArg) -> Tensor:
    datatype = _TYPES.get(found.type)
    if datatype is None:
        hint = "; convert with zipmap=False" if found.type.startswith("seq(map") else ""
        named = "BF16, which numpy does not know" if "bfloat16" in found.type else found.type
        raise LoadError(f"its {what} {found.name!r} is {named}, and no request or answer carries that{hint}")
    # A length that is not known has the name of a symbol, or none.
    shape = tuple(length if isinstance(length, int) and length > 0 else ANY for length in found.shape)
    if not shape:
        raise LoadError(f"its {what} {found.name!r} has no axis of rows")
    return Tensor(name=found.name, datatype=datatype, shape=shape)
