"""Files: the page's own files, read once, each with its tag and packed."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

_KINDS: Final = {
    "css": b"text/css; charset=utf-8",
    "html": b"text/html; charset=utf-8",
    "js": b"text/javascript; charset=utf-8",
    "svg": b"image/svg+xml",
}


@dataclass(frozen=True)
class File:
    """One file as it is sent.

    Attributes:
        kind: its media type.
        body: as it is.
        packed: by gzip.
        tag: its ETag.
    """

    kind: bytes
    body: bytes
    packed: bytes
    tag: bytes

    @classmethod
    def of(cls, kind: bytes, body: bytes) -> File:
        """Pack a body."""
        tag = b'"' + hashlib.sha256(body).hexdigest()[:32].encode() + b'"'
        return cls(kind, body, gzip.compress(body, 9, mtime=0), tag)


class Files:
    """The page's files, and their version: pages name the others below it, so that browsers keep them for good."""

    def __init__(self) -> None:
        found = dict(sorted(_below(files("driftline.deploy.board.web").joinpath("page"), "")))
        digest = hashlib.sha256()
        for path, (_kind, body) in found.items():
            digest.update(f"{path} {len(body)} ".encode() + body)
        self._kept = f"{digest.hexdigest()[:16]}/"
        self._files = {path: File.of(*self._versioned(kind, body)) for path, (kind, body) in found.items()}

    def page(self, name: str) -> File:
        """Give a page."""
        return self._files[name]

    def find(self, path: str) -> tuple[File, bool] | None:
        """Give a file by its path below /static/, and whether it stays what it is there."""
        name = path.removeprefix(self._kept)
        file = self._files.get(name)
        return None if file is None else (file, name != path)

    def name(self, path: str) -> str:
        """Give the name of a file by its path below /static/."""
        return path.removeprefix(self._kept)

    def _versioned(self, kind: bytes, body: bytes) -> tuple[bytes, bytes]:
        is_page = kind == _KINDS["html"]
        return kind, body.replace(b'"/static/', f'"/static/{self._kept}'.encode()) if is_page else body


def _below(folder: Traversable, path: str) -> list[tuple[str, tuple[bytes, bytes]]]:
    found = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _below(entry, f"{path}{entry.name}/")
        elif (kind := _KINDS.get(entry.name.rpartition(".")[2])) is not None:
            found.append((f"{path}{entry.name}", (kind, entry.read_bytes())))
    return found
