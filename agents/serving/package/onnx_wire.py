"""Which files an ONNX model reads beside itself, told from its bytes.

The message is walked on the wire, and only where tensors can lie that say where their data is: what does not concern
us is stepped over, so that gigabytes of weights or millions of a forest's nodes cost nothing, and the `onnx` library is
not needed where models serve. A model whose bytes hide a file from this walk does not read it either: it is loaded from
a folder that holds the listed files alone.
Sources: protobuf.dev/programming-guides/encoding; onnx.proto3 of https://github.com/onnx/onnx (field numbers).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from driftline.agents.serving.package.errors import BrokenPackageError

if TYPE_CHECKING:
    import mmap
    from collections.abc import Iterator

MAX_DEPTH: Final = 64
MAX_FIELDS: Final = 5_000_000
MAX_LOCATIONS: Final = 10_000

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_MOST_VARINT_BYTES: Final = 10

# Message -> field number -> message below it.
_BELOW: Final[dict[str, dict[int, str]]] = {
    "Model": {7: "Graph", 20: "Training", 25: "Function"},
    "Graph": {1: "Node", 5: "Tensor", 15: "Sparse"},
    "Training": {1: "Graph", 2: "Graph"},
    "Function": {7: "Node", 11: "Attribute"},
    "Node": {5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "Sparse", 23: "Sparse"},
    "Sparse": {1: "Tensor", 2: "Tensor"},
    "Tensor": {13: "Entry"},
}
_KEY, _VALUE = 1, 2
_MARK: Final = b"\x0a\x08location"
"""How an entry of that key begins; a message without it says nothing of files."""


class _Walk:
    """One pass over a message; counts what it reads, so that no file takes for ever."""

    def __init__(self, data: bytes | mmap.mmap) -> None:
        self._data = data
        self._left = MAX_FIELDS

    def locations(self) -> Iterator[str]:
        """Where tensors lie outside of the file, as the file says it, each as often as it is said."""
        yield from self._below("Model", 0, len(self._data), 0)

    def _below(self, kind: str, start: int, stop: int, depth: int) -> Iterator[str]:
        if depth > MAX_DEPTH:
            raise BrokenPackageError(f"the ONNX model nests more than {MAX_DEPTH} messages")
        if kind == "Entry":
            key, value = self._entry(start, stop)
            if key == b"location":
                yield value.decode("utf-8", "replace")
            return
        children = _BELOW[kind]
        for number, begin, end in self._fields(start, stop):
            below = children.get(number)
            if below is not None and self._data.find(_MARK, begin, end) >= 0:
                yield from self._below(below, begin, end, depth + 1)

    def _entry(self, start: int, stop: int) -> tuple[bytes, bytes]:
        found = {number: bytes(self._data[begin:end]) for number, begin, end in self._fields(start, stop)}
        return found.get(_KEY, b""), found.get(_VALUE, b"")

    def _fields(self, start: int, stop: int) -> Iterator[tuple[int, int, int]]:
        """Number and span of each field that has a length; the others are stepped over."""
        at = start
        while at < stop:
            self._left -= 1
            if self._left < 0:
                raise BrokenPackageError(f"the ONNX model has more than {MAX_FIELDS:,} fields")
            tag, at = self._varint(at, stop)
            number, wire = tag >> 3, tag & 7
            if wire == _VARINT:
                _, at = self._varint(at, stop)
            elif wire == _FIXED64:
                at += 8
            elif wire == _FIXED32:
                at += 4
            elif wire == _LENGTH:
                length, at = self._varint(at, stop)
                if at + length > stop:
                    raise BrokenPackageError("the ONNX model ends in the middle of a field")
                yield number, at, at + length
                at += length
            else:
                raise BrokenPackageError(
                    f"the ONNX model has a field of wire type {wire}, which there is not"
                )
        if at != stop:
            raise BrokenPackageError("the ONNX model ends in the middle of a field")

    def _varint(self, at: int, stop: int) -> tuple[int, int]:
        value = 0
        for shift in range(_MOST_VARINT_BYTES):
            if at >= stop:
                raise BrokenPackageError("the ONNX model ends in the middle of a field")
            byte = self._data[at]
            at += 1
            value |= (byte & 0x7F) << (7 * shift)
            if byte < 0x80:  # noqa: PLR2004 - the highest bit says that more follows
                return value, at
        raise BrokenPackageError("the ONNX model has a number of more than ten bytes")


def external_files(data: bytes | mmap.mmap) -> list[str]:
    """Give the files that a model's tensors lie in beside the model, in order and each once.

    Args:
        data: of the file; a mapped one is read but where needed.

    Raises:
        BrokenPackageError: the bytes are no protobuf message, or one that nobody would make.

    >>> external_files(b"")
    []
    """
    found: dict[str, None] = {}
    for name in _Walk(data).locations():
        found[name] = None
        if len(found) > MAX_LOCATIONS:
            raise BrokenPackageError(f"the ONNX model reads more than {MAX_LOCATIONS:,} files beside itself")
    return list(found)
