"""The other side of the protocol v2: requests to a model server, and its answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec

from driftline.agents.serving import tensors
from driftline.agents.serving.errors import bad_request
from driftline.agents.serving.v2 import BINARY_SIZE, ENCODER, MAX_TENSORS, Input, tensor_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


class _Told(msgspec.Struct):
    outputs: Annotated[list[Input], msgspec.Meta(min_length=1, max_length=MAX_TENSORS)]
    id: str | None = None
    model_version: str | None = None


_TOLD: Final = msgspec.json.Decoder(_Told)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that was read.

    Attributes:
        outputs: by name.
        identity: the id of the request, as the server says it; empty where it says none.
        version: of the model, likewise.
    """

    outputs: dict[str, NDArray[Any]]
    identity: str
    version: str


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


def answer_of(body: bytes, json_bytes: int | None) -> Answer:
    """Read an answer, of which so many bytes are JSON (None: all); raises AnswerError as `read` does."""
    size = len(body) if json_bytes is None else json_bytes
    if size > len(body):
        raise bad_request(f"its header says {size:,} bytes of JSON, and it has {len(body):,}")
    try:
        told = _TOLD.decode(memoryview(body)[:size])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise bad_request(f"it is no answer of the protocol: {error}") from error
    found: dict[str, NDArray[Any]] = {}
    at = size
    for output in told.outputs:
        found[output.name], at = tensor_of(output, memoryview(body), at)
    if at != len(body):
        raise bad_request(f"{len(body) - at:,} bytes follow the last tensor that it names")
    return Answer(found, told.id or "", told.model_version or "")
