"""Checksums of what was fetched: each file as the committed SHA256SUMS says, none missing, none more."""

from __future__ import annotations

from pathlib import Path

from driftline.deploy.local.cache import sha256_of
from driftline.deploy.local.errors import StackError


def parse(text: str) -> dict[str, str]:
    """Return file name -> SHA-256 from the text of `sha256sum`.

    >>> parse("ab  one.jar")
    {'one.jar': 'ab'}
    """
    pairs = (line.split(maxsplit=1) for line in text.splitlines() if line.strip())
    return {name.removeprefix("*"): digest for digest, name in pairs}


def verify(directory: Path, expected: dict[str, str]) -> None:
    """Check every file of a directory.

    Raises:
        StackError: a file is missing, is not in the list, or has other bytes.

    """
    found = {path.name for path in directory.iterdir()}
    if found != set(expected):
        odd = sorted(found ^ set(expected))
        raise StackError(
            f"the fetched files differ from SHA256SUMS in {odd[0]!r}: fetch again, or mend the pom"
        )
    for name, digest in expected.items():
        actual = sha256_of(directory / name)
        if actual != digest:
            raise StackError(
                f"the fetched file {name!r} has the SHA-256 {actual[:16]}…, not {digest[:16]}…: do not use it; "
                "delete it from the local Maven repository and try again"
            )
