"""Pickles told by their content: what a file does when it is loaded stands in its opcodes, not in its name.

Nothing here is ever unpickled: `pickletools` reads opcodes without carrying them out. Looked into are plain files,
what zlib, gzip, bzip2 and xz pack (joblib's forms), each member of a zip (PyTorch, NumPy, skops), and .npy headers.
What lz4, Zstandard and tar pack is looked into by nobody, and is refused.
"""

from __future__ import annotations

import bz2
import io
import lzma
import pickletools
import re
import zipfile
import zlib
from typing import IO, Final

from driftline.agents.serving.package.errors import BrokenPackageError

LOOKED_AT_BYTES: Final = 1 << 20
"""Of each file and member: a pickle says what it imports long before."""
MAX_OPCODES: Final = 100_000
MAX_ARGUMENT_BYTES: Final = 4_096
"""Of an argument of an opcode that is looked at: no name of a module is longer."""
MAX_MEMBERS: Final = 10_000
MAX_UNPACKED_BYTES: Final = 8 << 30
"""Of all members of a zip together, as its directory states them."""
MAX_OPCODES_TOGETHER: Final = 2_000_000
"""Read in one file with all its members: a few seconds. Weights end within some opcodes, so that none comes near."""
MAX_LOOKED_BYTES: Final = 4 << 30
"""Unpacked and stepped over in one file with all its members: some ten seconds."""

_NAME: Final = re.compile(r"[A-Za-z_][\w.]*", re.ASCII)
_PROTO: Final = 0x80
_PROTOCOLS: Final = range(2, 6)
_SURE_AFTER: Final = 3
"""Opcodes after the mark of a protocol: weights that begin like that mark go on like opcodes by rare chance only."""
_GZIP_WINDOW: Final = 31
"""What zlib takes for the form of gzip."""
_PACKED: Final = (
    (b"\x1f\x8b", lambda: zlib.decompressobj(_GZIP_WINDOW)),
    (b"BZh", bz2.BZ2Decompressor),
    (b"\xfd7zXZ\x00", lzma.LZMADecompressor),
    (b"\x5d\x00\x00", lzma.LZMADecompressor),
    (b"x\x01", zlib.decompressobj),
    (b"x\x5e", zlib.decompressobj),
    (b"x\x9c", zlib.decompressobj),
    (b"x\xda", zlib.decompressobj),
)
_PACKED_BY: Final = "packed by"
_INNER: Final = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00", b"PK\x03\x04")
"""Marks of what is packed within what was packed: those that few texts and weights begin with."""
_UNOPENED: Final = (
    (0, b"\x04\x22\x4d\x18", "lz4"),
    (0, b"\x28\xb5\x2f\xfd", "Zstandard"),
    (1, b"\x2a\x4d\x18", "lz4 or Zstandard"),
    (257, b"ustar", "tar"),
)
"""Where a mark stands, the mark, and what packs so."""
_TWO: Final = 2
_BASED: Final = re.compile(rb"\s*[+-]?0[xXoObB][0-9A-Fa-f_]+L?\s*")
_NPY: Final = b"\x93NUMPY"
_NPY_OBJECT: Final = re.compile(rb"'descr':\s*(\[.*)?'[|<>=]?O")


class _Budget:
    """What looking into one file with all its members may take yet."""

    def __init__(self) -> None:
        self.opcodes, self.bytes = MAX_OPCODES_TOGETHER, MAX_LOOKED_BYTES

    def check(self, name: str) -> None:
        """Raise BrokenPackageError once it is used up: what is left was not looked into."""
        if self.opcodes < 0 or self.bytes < 0:
            raise BrokenPackageError(
                f"{name} packs more than can be looked through for pickles ({MAX_OPCODES_TOGETHER:,} opcodes, "
                f"{MAX_LOOKED_BYTES:,} bytes): save the model as ONNX or safetensors"
            )


class _Long(bytes):
    """Bytes that were stepped over: it is their number that matters."""

    size = 0

    def __len__(self) -> int:
        return self.size


def _readable(line: bytes) -> bytes:
    """A line as `pickletools` reads it: unpicklers take numbers of other bases too, and texts of other encodings."""
    if _BASED.fullmatch(line):
        return b"0\n"
    quote = line[:1]
    if quote in (b"'", b'"') and (b"\\" in line or not line.isascii()):
        return quote + b"_" + quote + b"\n"
    return line


class _Head(io.BytesIO):
    """Bytes as `pickletools` reads them."""

    def readline(self, size: int | None = -1, /) -> bytes:
        """Read a line."""
        return _readable(super().readline(size))


class _Skipping:
    """A file as `pickletools` reads it, whose long arguments are stepped over: what runs may stand behind them."""

    def __init__(self, file: IO[bytes], size: int, budget: _Budget) -> None:
        self._file, self._end, self._budget = file, size, budget
        file.seek(0)

    def read(self, size: int) -> bytes:
        """Read some bytes, or step over many."""
        at = self._file.tell()
        if size <= MAX_ARGUMENT_BYTES or at + size > self._end:
            return self._file.read(min(size, MAX_ARGUMENT_BYTES))
        self._budget.bytes -= size
        if self._budget.bytes < 0:  # a member of a zip is unpacked on the way
            return b""
        self._file.seek(at + size)
        stepped = _Long()
        stepped.size = size
        return stepped

    def readline(self) -> bytes:
        """Read a line, or step over a long one: a text or a number is given in its place."""
        line = part = self._file.readline(MAX_ARGUMENT_BYTES)
        if len(part) < MAX_ARGUMENT_BYTES or part.endswith(b"\n"):
            return _readable(line)
        while part and not part.endswith(b"\n"):
            part = self._file.readline(LOOKED_AT_BYTES)
            self._budget.bytes -= len(part)
            if self._budget.bytes < 0:
                return b""
        quote = line[:1] if line[:1] in (b"'", b'"') else b"0"
        return quote * 2 + b"\n"

    def tell(self) -> int:
        """Where it is read next."""
        return self._file.tell()


def refuse_pickles(name: str, file: IO[bytes]) -> None:
    """Look whether a file is, or packs, a pickle.

    Args:
        name: of the file, for the sentence.
        file: at its start, and seekable.

    Raises:
        BrokenPackageError: it is one, holds one, or is packed in a way that cannot be looked through.
    """
    head = file.read(LOOKED_AT_BYTES)
    size, budget = file.seek(0, io.SEEK_END), _Budget()
    found = _found(head, budget) or _found_behind(file, size, head, budget)
    budget.check(name)
    if found:
        raise BrokenPackageError(_sentence(name, found))
    if head.startswith(b"PK") or zipfile.is_zipfile(
        file
    ):  # a zip is read from its end: anything may stand before it
        file.seek(0)
        _look_through_zip(name, file, budget)


def _look_through_zip(name: str, file: IO[bytes], budget: _Budget) -> None:
    try:
        with zipfile.ZipFile(file) as packed:
            members = packed.infolist()
            if len(members) > MAX_MEMBERS or sum(member.file_size for member in members) > MAX_UNPACKED_BYTES:
                raise BrokenPackageError(
                    f"{name} packs {len(members):,} files of {sum(m.file_size for m in members):,} bytes, and "
                    f"{MAX_MEMBERS:,} files of {MAX_UNPACKED_BYTES:,} bytes are allowed"
                )
            for member in members:
                with packed.open(member) as inner:
                    head = inner.read(LOOKED_AT_BYTES)
                    if head.startswith(b"PK\x03\x04"):
                        raise BrokenPackageError(
                            f"{name} holds a zip in a zip, {member.filename[:100]!r}, which nobody looks through: "
                            "leave it out"
                        )
                    budget.bytes -= len(head)
                    found = _found(head, budget) or _found_behind(inner, member.file_size, head, budget)
                budget.check(name)
                if found:
                    raise BrokenPackageError(_sentence(f"{name} ({member.filename[:100]!r} in it)", found))
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, EOFError, ValueError, NotImplementedError,
            RuntimeError) as error:  # fmt: skip
        raise BrokenPackageError(f"{name} looks like a zip and cannot be read as one: {error}") from error


def _found(head: bytes, budget: _Budget) -> str:
    """What is wrong with bytes that begin so; an empty text when nothing is."""
    if _reads_as_pickle(_Head(head), head, budget):
        return "a pickle"
    if head.startswith(_NPY) and _holds_objects(head, budget):
        return "an array of Python objects, which is a pickle"
    unpacked = _unpacked(head)
    budget.bytes -= len(unpacked)
    if unpacked and _reads_as_pickle(_Head(unpacked), unpacked, budget):
        return "a packed pickle"
    packer = _unopened(head) or _unopened(unpacked)
    if packer or unpacked.startswith(_INNER):
        return f"{_PACKED_BY} {packer or 'two packers, one in the other'}"
    return ""


def _unopened(head: bytes) -> str:
    """What packed bytes that begin so, and is not opened here; nothing where nothing did."""
    return next((packer for at, mark, packer in _UNOPENED if head.startswith(mark, at)), "")


def _holds_objects(head: bytes, budget: _Budget) -> bool:
    """Whether an array of numpy, which begins so, holds a pickle: by its header, or by what stands behind that."""
    width = 2 if head[6:7] == b"\x01" else 4
    at = 8 + width + int.from_bytes(head[8 : 8 + width], "little")
    behind = head[at:]
    return (
        at > len(head)
        or _NPY_OBJECT.search(head[:at]) is not None
        or _reads_as_pickle(_Head(behind), behind, budget)
    )


def _found_behind(file: IO[bytes], size: int, head: bytes, budget: _Budget) -> str:
    """What is wrong with a file whose beginning says nothing; an empty text when nothing is."""
    is_longer = size > len(head)
    return "a pickle" if is_longer and _reads_as_pickle(_Skipping(file, size, budget), head, budget) else ""


def is_pickle(head: bytes) -> bool:
    r"""Say whether bytes begin as a pickle does.

    They do when opcodes can be read that import something by its name, or when the mark of a protocol stands first and
    opcodes follow. Arbitrary numbers, as in weights, do neither but by rare chance.

    >>> is_pickle(b"cposix\nsystem\n.")
    True
    >>> is_pickle(b"N.")
    False
    """
    return _reads_as_pickle(_Head(head), head, _Budget())


def _reads_as_pickle(file: IO[bytes] | _Skipping, head: bytes, budget: _Budget) -> bool:
    """Whether opcodes are read from a file, which begins so, as `is_pickle` says."""
    marked = len(head) > 1 and head[0] == _PROTO and head[1] in _PROTOCOLS
    names = 0
    try:
        # Of a file it is asked for no more than `_Skipping` has.
        for number, (opcode, argument, _) in enumerate(pickletools.genops(file)):  # type: ignore[arg-type]
            budget.opcodes -= 1
            words = argument.split(" ") if isinstance(argument, str) else []
            if opcode.name in {"GLOBAL", "INST"} and len(words) == _TWO and all(map(_NAME.fullmatch, words)):
                return True
            if opcode.name == "STACK_GLOBAL" and names >= _TWO:
                return True
            if number > MAX_OPCODES or (marked and number >= _SURE_AFTER):
                return True
            names += len(words) == 1 and _NAME.fullmatch(words[0]) is not None
    except Exception:  # noqa: BLE001 - what genops raises on bytes that are no pickle is not written down
        return False
    return marked


def _unpacked(head: bytes) -> bytes:
    """The beginning of what is packed; nothing for what is not packed, or badly."""
    for mark, opened in _PACKED:
        if head.startswith(mark):
            try:
                return opened().decompress(head, LOOKED_AT_BYTES)
            except (zlib.error, OSError, EOFError, lzma.LZMAError):
                return b""
    return b""


def _sentence(name: str, found: str) -> str:
    if found.startswith(_PACKED_BY):
        return f"{name} is {found}, which nobody looks through for pickles: put in what it packs, unpacked"
    return (
        f"{name} is {found}: loading it would run whatever its maker wrote; save the model as ONNX, skops or "
        "safetensors"
    )
