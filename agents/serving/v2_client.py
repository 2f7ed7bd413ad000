"""The other side of the protocol v2: requests to a model server, and its answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from driftline.agents.serving import tensors
from driftline.agents.serving.errors import bad_request
from driftline.agents.serving.v2 import BINARY_SIZE, ENCODER, MAX_TENSORS, Input, tensor_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


class _Answer(msgspec.Struct):
    outputs: Annotated[list[Input], msgspec.Meta(min_length=1, max_length=MAX_TENSORS)]


_ANSWER: Final = msgspec.json.Decoder(_Answer)


def asking(inputs: Mapping[str, NDArray[Any]], more: Mapping[str, Any]) -> tuple[bytes, int]:
    """Write a request with binary tensors: its body, and how many bytes of it are JSON.

    Args:
        inputs: by name.
        more: what else the request says: `id`, `parameters`, `outputs`.
    """
    data = {name: tensors.to_bytes(array) for name, array in inputs.items()}
    told = [
        {
            "name": name,
            "datatype": tensors.datatype_out(name, array),
            "shape": array.shape,
            "parameters": {BINARY_SIZE: len(data[name])},
        }
        for name, array in inputs.items()
    ]
    head = ENCODER.encode({"inputs": told, **more})
    return b"".join((head, *data.values())), len(head)


def outputs_of(body: bytes, json_bytes: int | None) -> dict[str, NDArray[Any]]:
    """Read the outputs of an answer; raises AnswerError as `read` does."""
    size = len(body) if json_bytes is None else json_bytes
    try:
        told = _ANSWER.decode(memoryview(body)[:size])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise bad_request(f"it is no answer of the protocol: {error}") from error
    found: dict[str, NDArray[Any]] = {}
    at = size
    for output in told.outputs:
        found[output.name], at = tensor_of(output, memoryview(body), at)
    return found
