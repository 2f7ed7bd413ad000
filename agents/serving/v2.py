"""Requests and answers of the Open Inference Protocol v2 over HTTP, with tensors in JSON or binary behind it.

Sources as in `tensors`. Parameters that nobody knows pass; what would change the answer and cannot be done is refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec

from driftline.agents.serving import tensors
from driftline.agents.serving.errors import bad_request, too_many_rows
from driftline.schemas.wire import MAX_TIME_MS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

LENGTH_HEADER: Final = b"inference-header-content-length"
"""How many bytes of a body are JSON; binary tensors follow."""
KEY: Final = "driftline_key"
"""The parameter that names the caller whom a canary keeps."""
AT: Final = "driftline_at"
"""The parameter that says when what is asked about happened, ms since 1970: the event time of all its rows."""
MAX_TENSORS: Final = 4_096
MAX_ID_CHARS: Final = 200
_BINARY: Final = "binary_data"
BINARY_SIZE: Final = "binary_data_size"
_ALL_BINARY: Final = "binary_data_output"

Length = Annotated[int, msgspec.Meta(ge=0, le=1 << 31)]
MAX_PARAMETERS_BYTES: Final = 1 << 16
"""Of each table of them: objects take many times the memory of their JSON, and what nobody knows is thrown away."""
Parameters = msgspec.Raw
_NONE: Final = msgspec.Raw(b"")
Shape = Annotated[tuple[Length, ...], msgspec.Meta(min_length=1, max_length=tensors.MAX_AXES)]


class Input(msgspec.Struct):
    """A tensor as it travels, in a request or an answer."""

    name: str
    datatype: str
    shape: Shape
    parameters: Parameters = _NONE
    data: msgspec.Raw = _NONE


class _FlatInput(msgspec.Struct):
    """An input as most are, read in one go."""

    name: str
    datatype: Literal["FP32", "FP64"]
    shape: Shape
    data: list[float]
    parameters: Parameters = _NONE


class _Output(msgspec.Struct):
    name: str
    parameters: Parameters = _NONE


class _Whole(msgspec.Struct, kw_only=True):
    id: Annotated[str, msgspec.Meta(max_length=MAX_ID_CHARS)] | None = None
    outputs: Annotated[list[_Output], msgspec.Meta(max_length=MAX_TENSORS)] | None = None
    parameters: Parameters = _NONE


class _Request(_Whole):
    inputs: Annotated[list[Input], msgspec.Meta(min_length=1, max_length=MAX_TENSORS)]


class _FlatRequest(_Whole):
    inputs: Annotated[list[_FlatInput], msgspec.Meta(min_length=1, max_length=MAX_TENSORS)]


class _Told(msgspec.Struct, omit_defaults=True):
    """An output as it is written."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    parameters: dict[str, Any] | None = None
    data: list[Any] | None = None


class _ToldWhole(msgspec.Struct):
    model_name: str
    model_version: str
    id: str
    outputs: list[_Told]


_REQUEST: Final = msgspec.json.Decoder(_Request)
_FLAT: Final = msgspec.json.Decoder(_FlatRequest)
_PARAMETERS: Final = msgspec.json.Decoder(dict[str, Any] | None)
ENCODER: Final = msgspec.json.Encoder()


@dataclass(slots=True)
class Ask:
    """A request that was read.

    Attributes:
        id: as the caller gave it; empty without one.
        inputs: arrays by name; those of binary tensors look into the request's own bytes, and cannot be written to.
        wanted: name of an output -> whether it goes out binary; None: all outputs.
        is_binary: whether outputs go out binary that `wanted` does not name.
        key: the caller whom a canary keeps; empty where nothing is known of it.
        at_ms: event time, ms since 1970; None: when it is asked.
    """

    id: str
    inputs: dict[str, NDArray[Any]]
    wanted: dict[str, bool] | None = None
    is_binary: bool = False
    key: str = ""
    at_ms: int | None = None

    def is_json(self, output: str) -> bool:
        """Whether an output goes out as JSON, which carries no NaN."""
        if self.wanted is None:
            return not self.is_binary
        return self.wanted.get(output) is False


def read(
    body: bytes, json_bytes: int | None = None, *, flat: bool = False, most_rows: int | None = None
) -> Ask:
    """Read a request.

    Args:
        body: whole; its size was bounded before.
        json_bytes: how many bytes of it are JSON, as its header says; None: all.
        flat: whether flat lists of floats are likely, which are read in one go; what is none is read all the same.
        most_rows: of each tensor, as its shape says before its data are read; None: any number.

    Raises:
        AnswerError: with status 400, or 413 for too many rows, and one sentence.
    """
    view = memoryview(body)
    size = len(body) if json_bytes is None else json_bytes
    if not 0 <= size <= len(body):
        raise bad_request(f"the header says {size:,} bytes of JSON, and the body has {len(body):,}")
    asked = _asked(view[:size] if size != len(body) else body, flat=flat)
    inputs: dict[str, NDArray[Any]] = {}
    at = size
    for given in asked.inputs:
        if given.name in inputs:
            raise bad_request(f"the input {given.name[:200]!r} stands in the request twice")
        if most_rows is not None and given.shape[0] > most_rows:
            raise too_many_rows(given.shape[0], most_rows)
        inputs[given.name], at = tensor_of(given, view, at)
    if at != len(body):
        raise bad_request(f"{len(body) - at:,} bytes follow the last tensor that the request names")
    parameters = _parameters(asked.parameters)
    if not parameters:
        return Ask(asked.id or "", inputs, _wanted(asked.outputs, is_binary=False))
    is_binary = parameters.get(_ALL_BINARY) is True
    key = parameters.get(KEY)
    return Ask(
        asked.id or "",
        inputs,
        _wanted(asked.outputs, is_binary=is_binary),
        is_binary,
        str(key)[:MAX_ID_CHARS] if isinstance(key, str | int) else "",
        _time(parameters.get(AT)),
    )


def written(
    name: str, version: str, identity: str, ask: Ask, outputs: Mapping[str, NDArray[Any]]
) -> tuple[bytes, int | None]:
    """Write an answer.

    Args:
        name: of the deployment.
        version: of what answers.
        identity: the request's id.
        ask: the request.
        outputs: every output of the model, by name.

    Returns:
        The body, and how many bytes of it are JSON when binary tensors follow.

    Raises:
        AnswerError: an output is asked for that there is none of, or that JSON does not carry.
    """
    told, binary = [], []
    for output, is_binary in _chosen(ask, outputs):
        array = outputs[output]
        datatype = tensors.datatype_out(output, array)
        if is_binary:
            data = tensors.to_bytes(array)
            told.append(_Told(output, datatype, array.shape, {BINARY_SIZE: len(data)}))
            binary.append(data)
        else:
            told.append(_Told(output, datatype, array.shape, None, tensors.to_json(output, array)))
    head = ENCODER.encode(_ToldWhole(name, version, identity, told))
    return (b"".join((head, *binary)), len(head)) if binary else (head, None)


def _asked(data: bytes | memoryview, *, flat: bool) -> _Request | _FlatRequest:
    if flat:
        try:
            return _FLAT.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass  # nested, binary, of other types, or wrong: the long way says which
    try:
        return _REQUEST.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise bad_request(f"the body is no request of the Open Inference Protocol v2: {error}") from error


def _parameters(given: Parameters) -> dict[str, Any]:
    """Read a table of parameters; raises AnswerError for a large one, and for what is none."""
    if given is _NONE:
        return {}
    size = len(memoryview(given))
    if size > MAX_PARAMETERS_BYTES:
        raise bad_request(f"the parameters have {size:,} bytes; {MAX_PARAMETERS_BYTES:,} are allowed")
    try:
        return _PARAMETERS.decode(given) or {}
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise bad_request(f"the parameters are no JSON object: {error}") from error


def tensor_of(given: Input | _FlatInput, view: memoryview, at: int) -> tuple[NDArray[Any], int]:
    """Give the array of an input, and where the binary tensor after it begins; raises AnswerError as `read` does."""
    name, parameters = given.name[:200], _parameters(given.parameters)
    if isinstance(given, _FlatInput) and not parameters:
        return tensors.of_values(name, given.datatype, given.shape, given.data), at
    tensors.known_datatype(name, given.datatype)
    data = given.data if isinstance(given, _FlatInput) else memoryview(given.data)
    if parameters:
        if "shared_memory_region" in parameters:
            raise bad_request(f"the input {name!r} lies in shared memory, which is not taken: send its data")
        size = parameters.get(BINARY_SIZE)
        if size is not None:
            if type(size) is not int or not 0 <= size <= len(view) - at:
                raise bad_request(
                    f"the input {name!r} says {BINARY_SIZE} {str(size)[:40]}, and {len(view) - at:,} bytes follow"
                )
            if isinstance(data, list) or data:
                raise bad_request(f"the input {name!r} has data in JSON and in binary; send one of them")
            return tensors.of_bytes(name, given.datatype, given.shape, view[at : at + size]), at + size
    if isinstance(data, list):
        return tensors.of_values(name, given.datatype, given.shape, data), at
    if not data:
        raise bad_request(f"the input {name!r} has no data")
    return tensors.of_json(name, given.datatype, given.shape, data), at


def _time(given: object) -> int | None:
    """The event time that a request names; raises AnswerError for what is no time."""
    if given is None or (type(given) is int and 0 <= given < MAX_TIME_MS):
        return given
    raise bad_request(f"{AT} is {str(given)[:40]!r}; give whole ms since 1970")


def _wanted(outputs: list[_Output] | None, *, is_binary: bool) -> dict[str, bool] | None:
    """The outputs that are asked for; an empty list asks for all of them, as no list does."""
    if not outputs:
        return None
    wanted = {}
    for one in outputs:
        parameters = _parameters(one.parameters)
        if parameters.get("classification"):
            raise bad_request(
                f"classification is asked of the output {one.name[:200]!r}, which is not done: ask for its values"
            )
        if "shared_memory_region" in parameters:
            raise bad_request(
                f"the output {one.name[:200]!r} is asked for in shared memory, which is not done"
            )
        chosen = parameters.get(_BINARY)
        wanted[one.name] = chosen if isinstance(chosen, bool) else is_binary
    return wanted


def _chosen(ask: Ask, outputs: Mapping[str, NDArray[Any]]) -> Iterable[tuple[str, bool]]:
    if ask.wanted is None:
        return [(name, ask.is_binary) for name in outputs]
    for name in ask.wanted:
        if name not in outputs:
            known = ", ".join(list(outputs)[:20])
            raise bad_request(f"there is no output {name[:200]!r}; there are {known}")
    return ask.wanted.items()
