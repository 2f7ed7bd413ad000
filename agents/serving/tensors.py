"""Tensors on the wire: as the Open Inference Protocol v2 carries them, in JSON or binary, to numpy arrays and back.

Sources: https://github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md; binary tensors:
https://github.com/triton-inference-server/server, docs/protocol/extension_binary_data.md. Numbers are little-endian; an
element of BYTES is its length in 4 bytes and its UTF-8. Arrays of binary tensors are views of the request, not copies.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import numpy as np

from driftline.agents.serving.errors import FAILED, AnswerError, bad_request
from driftline.agents.serving.package.tensors import DTYPES, FLOATS, datatype_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MAX_AXES: Final = 8
PIECE_BYTES: Final = 1 << 16
"""Of a long list of numbers in JSON that are read in one go."""
_LENGTH_BYTES: Final = 4
_SHOWN: Final = 80
_NESTED: Final = ord("[")
_SPACE: Final = b" \t\r\n"
_OPENING: Final = b"[" + _SPACE
_BRACKETS: Final = re.compile(rb"[\[ \t\r\n]*")
_NO_NESTING: Final = bytes(set(range(256)) - set(b"[],"))
_FEW: Final = 64
"""Elements up to which Python is faster than numpy."""
_NAMES: Final = {dtype: name for name, dtype in DTYPES.items()}
_MOST_FP32: Final = float(np.finfo(np.float32).max)


def known_datatype(name: str, datatype: str) -> None:
    """Refuse a type that no tensor here has; raises AnswerError."""
    if datatype == "BF16":
        raise bad_request(f"the input {name!r} is BF16, which numpy does not know: send FP32")
    if datatype not in DTYPES:
        raise bad_request(
            f"the input {name!r} has the datatype {datatype[:_SHOWN]!r}; there are {', '.join(DTYPES)}"
        )


def of_json(name: str, datatype: str, shape: Sequence[int], data: bytes | memoryview) -> NDArray[Any]:
    """Read the `data` of a tensor, flat or nested as its shape.

    Args:
        name: for the sentence.
        datatype: one of `DTYPES`.
        shape: lengths of its axes.
        data: the JSON of it.

    Raises:
        AnswerError: it is no such data, or not as long as the shape says.
    """
    if datatype == "FP16":
        raise bad_request(
            f"the input {name!r} is FP16, which JSON does not carry: send it binary, or as FP32"
        )
    # Most are flat; two bytes tell.
    depth = 1 if data[0] == _NESTED and data[1] not in _OPENING else _depth(data)
    if not 1 <= depth <= MAX_AXES:
        raise bad_request(f"the data of the input {name!r} are no list, or nested deeper than {MAX_AXES}")
    try:
        if len(data) > PIECE_BYTES and datatype != "BYTES":
            flat = bytes(data) if depth == 1 else _flattened(name, shape, depth, bytes(data))
            return _in_pieces(name, datatype, shape, flat)
        large = len(data) > PIECE_BYTES
        decoder = _text_decoder(name, shape, depth) if large else _decoder(_kind(datatype), depth)
        values = decoder.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise bad_request(f"the data of the input {name!r} are no {datatype}: {error}") from error
    return of_values(name, datatype, shape, _flat(name, values, shape, depth) if depth > 1 else values)


def _in_pieces(name: str, datatype: str, shape: Sequence[int], data: bytes) -> NDArray[Any]:
    """Read a long flat list of numbers a piece at a time: while one is read, no other thread does anything.

    Raises AnswerError as `of_json` does, and what the decoder raises.
    """
    decode, end = _decoder(_kind(datatype), 1).decode, data.rindex(b"]")
    parts, at = [], data.index(b"[") + 1
    while at <= end:
        # Numbers hold no comma, and that this is a list was seen when the request was read.
        cut = data.find(b",", at + PIECE_BYTES, end)
        stop = end if cut < 0 else cut
        parts.append(_array(name, datatype, decode(b"[%b]" % data[at:stop])))
        at = stop + 1
    whole = np.concatenate(parts)
    if len(whole) != math.prod(shape):
        raise bad_request(
            f"the input {name!r} has {len(whole):,} elements; its shape {list(shape)} has {math.prod(shape):,}"
        )
    return _shaped(name, whole, shape)


def _flattened(name: str, shape: Sequence[int], depth: int, data: bytes) -> bytes:
    """Nested numbers as one flat list, if they are nested as the shape says.

    As lists of lists they would take forty times the memory of their JSON.
    """
    nesting, flat = data.translate(None, _NO_NESTING), data.translate(None, b"[]" + _SPACE)
    is_nested = depth == len(shape) and len(nesting) == _nesting_bytes(shape) and nesting == _nesting(shape)
    # Lists of no elements are told from lists of one by what lies between the brackets.
    is_empty = math.prod(shape) == 0
    if not is_nested or (is_empty and flat.strip(b",")):
        raise bad_request(f"the data of the input {name!r} are not nested as its shape {list(shape)}")
    return b"[]" if is_empty else b"[%b]" % flat


def _nesting_bytes(shape: Sequence[int]) -> int:
    size = 0
    for length in reversed(shape):
        size = 2 + length * size + max(0, length - 1)
    return size


def _nesting(shape: Sequence[int]) -> bytes:
    """What is left of a list nested as the shape once its numbers are taken out."""
    found = b""
    for length in reversed(shape):
        found = b"[%b]" % ((found + b",") * length)[:-1]
    return found


def of_values(name: str, datatype: str, shape: Sequence[int], values: list[Any]) -> NDArray[Any]:
    """Make an array of elements that were read; raises AnswerError as `of_json` does."""
    if len(values) != math.prod(shape):
        raise bad_request(
            f"the input {name!r} has {len(values):,} elements; its shape {list(shape)} has {math.prod(shape):,}"
        )
    return _shaped(name, _array(name, datatype, values), shape)


def of_bytes(name: str, datatype: str, shape: Sequence[int], data: memoryview) -> NDArray[Any]:
    """Read a binary tensor; raises AnswerError as `of_json` does."""
    count = math.prod(shape)
    if datatype == "BYTES":
        return _shaped(name, _texts(name, count, data), shape)
    dtype = DTYPES[datatype].newbyteorder("<")
    if len(data) != count * dtype.itemsize:
        raise bad_request(
            f"the input {name!r} has {len(data):,} bytes; {datatype} {list(shape)} has {count * dtype.itemsize:,}"
        )
    if datatype == "BOOL" and count and int(np.frombuffer(data, np.uint8).max()) > 1:
        raise bad_request(f"the input {name!r} is BOOL and holds a byte that is neither 0 nor 1")
    array = _shaped(name, np.frombuffer(data, dtype), shape)
    # Libraries in C take numbers where the processor can; a tensor after texts may lie anywhere.
    return array if array.flags.aligned else array.copy()


def to_json(name: str, array: NDArray[Any]) -> list[Any]:
    """Give the `data` of a tensor, flat.

    Raises:
        AnswerError: JSON does not carry it.
    """
    if array.dtype.kind != "f":
        return array.ravel().tolist()
    if array.dtype == np.float16:
        raise bad_request(f"the output {name!r} is FP16, which JSON does not carry: ask for it binary")
    values = array.ravel().tolist()
    few = len(values) < _FEW
    if not (few and math.isfinite(sum(values))) and not np.isfinite(array).all():
        raise AnswerError(
            FAILED, f"the output {name!r} holds NaN or infinity, which JSON does not carry: ask for it binary"
        )
    return values


def is_finite(array: NDArray[Any]) -> bool:
    """Whether floats hold no NaN and no infinity."""
    # A sum is finite only of finite numbers; of some it is not, and each is looked at.
    if array.size == 1:
        return math.isfinite(array.item())
    if array.size < _FEW and math.isfinite(sum(array.ravel().tolist())):
        return True
    return bool(np.isfinite(array).all())


def to_bytes(array: NDArray[Any]) -> bytes | memoryview:
    """Give a binary tensor; the memory of the array itself where it lies as the wire wants it."""
    if array.dtype.kind in "OU":
        texts = [str(value).encode() for value in array.ravel().tolist()]
        return b"".join(
            chain.from_iterable((len(one).to_bytes(_LENGTH_BYTES, "little"), one) for one in texts)
        )
    plain = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return plain.reshape(-1).view(np.uint8).data if plain.size else b""


def datatype_out(name: str, array: NDArray[Any]) -> str:
    """The v2 name of an output's type; raises AnswerError for one that has none."""
    found = _NAMES.get(array.dtype) or datatype_of(array.dtype)
    if found not in DTYPES:
        raise AnswerError(
            FAILED, f"the model answers {name!r} with {found[:_SHOWN]}, which v2 does not carry"
        )
    return found


def _shaped(name: str, array: NDArray[Any], shape: Sequence[int]) -> NDArray[Any]:
    """An array of as many elements in its shape; of none, the other axes may be longer than numpy can say."""
    try:
        return array.reshape(shape)
    except ValueError as error:
        raise bad_request(f"the input {name!r} has the shape {list(shape)}, which no array has") from error


def _depth(data: bytes | memoryview) -> int:
    """How deep the first element of a list lies, however it is indented."""
    found = _BRACKETS.match(data)
    return found[0].count(b"[") if found else 0


def _kind(datatype: str) -> type:
    if datatype in FLOATS:
        return float
    return {"BOOL": bool, "BYTES": str}.get(datatype, int)


@lru_cache(maxsize=64)
def _decoder(kind: type, depth: int) -> msgspec.json.Decoder[Any]:
    wanted: Any = kind
    for _ in range(depth):
        wanted = list[wanted]
    return msgspec.json.Decoder(wanted)


def _text_decoder(name: str, shape: Sequence[int], depth: int) -> msgspec.json.Decoder[Any]:
    """What reads many texts, and ends at the first list that is not as long as its shape says.

    An empty list takes twenty times its two bytes: those that no shape asks for are refused before they are made.
    """
    if depth not in (1, len(shape)) or math.prod(shape) == 0:
        raise bad_request(
            f"the data of the input {name!r} are not nested as its shape {list(shape)}, or hold no texts"
        )
    wanted: Any = str
    for length in reversed(shape[1:] if depth > 1 else ()):
        wanted = Annotated[list[wanted], msgspec.Meta(min_length=length, max_length=length)]
    return msgspec.json.Decoder(list[wanted])


def _flat(name: str, values: list[Any], shape: Sequence[int], depth: int) -> list[Any]:
    """Nested lists as one, if they are nested as the shape says."""
    if depth != len(shape) or len(values) != shape[0]:
        raise bad_request(f"the data of the input {name!r} are not nested as its shape {list(shape)}")
    for length in shape[1:]:
        if any(len(part) != length for part in values):
            raise bad_request(f"the data of the input {name!r} are not nested as its shape {list(shape)}")
        values = list(chain.from_iterable(values))
    return values


def _array(name: str, datatype: str, values: list[Any]) -> NDArray[Any]:
    dtype = DTYPES[datatype]
    if datatype == "BYTES":
        made: NDArray[Any] = np.empty(len(values), dtype)
        made[:] = values
        return made
    # None is larger than the sum of all.
    if datatype == "FP32" and sum(map(abs, values)) > _MOST_FP32 and max(map(abs, values)) > _MOST_FP32:
        raise bad_request(f"the input {name!r} holds a number that FP32 cannot take: send FP64")
    try:
        return np.array(values, dtype)
    except OverflowError as error:
        raise bad_request(f"the input {name!r} holds a number that {datatype} cannot take") from error


def _texts(name: str, count: int, data: memoryview) -> NDArray[Any]:
    """Read texts, each after its length."""
    if len(data) < count * _LENGTH_BYTES:
        raise bad_request(f"the input {name!r} has {len(data):,} bytes; {count:,} texts take more")
    made: NDArray[Any] = np.empty(count, object)
    at = 0
    for place in range(count):
        end = at + _LENGTH_BYTES + int.from_bytes(data[at : at + _LENGTH_BYTES], "little")
        if at + _LENGTH_BYTES > len(data) or end > len(data):
            raise bad_request(f"the input {name!r} ends within its element {place:,}")
        try:
            made[place] = str(data[at + _LENGTH_BYTES : end], "utf-8")
        except UnicodeDecodeError as error:
            raise bad_request(f"the element {place:,} of the input {name!r} is no UTF-8") from error
        at = end
    if at != len(data):
        raise bad_request(f"the input {name!r} has {len(data) - at:,} bytes after its last element")
    return made
