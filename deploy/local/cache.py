"""The user's cache of fetched programs: prepared once, under a lock, in a temporary directory, then renamed."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

# Said to a person while something is fetched or prepared; takes one short sentence.
Progress = Callable[[str], None]

DIGEST_LENGTH = 12


def cache_root(env: Mapping[str, str]) -> Path:
    """Return `$XDG_CACHE_HOME/driftline`, or `~/.cache/driftline`; relative values are ignored as XDG asks."""
    configured = env.get("XDG_CACHE_HOME", "")
    if configured.startswith("/"):
        return Path(configured) / "driftline"
    return Path(env.get("HOME") or Path.home()) / ".cache" / "driftline"


def digest_of(*contents: bytes) -> str:
    """Return a short name for what a preparation depends on: another lock file, another directory."""
    total = hashlib.sha256()
    for content in contents:
        total.update(hashlib.sha256(content).digest())
    return total.hexdigest()[:DIGEST_LENGTH]


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def prepared(root: Path, name: str, make: Callable[[Path], None], progress: Progress) -> Path:
    """Return the directory `root/name`, made by `make(temporary directory)` if it is not there yet.

    The directory appears whole or not at all: what is there under its name has passed the checks of `make`.
    A second process waits for the first one instead of fetching too.
    """
    final = root / name
    if final.is_dir():
        return final
    root.mkdir(parents=True, exist_ok=True)
    with (root / f"{name}.lock").open("w") as lock, _held(lock, name, progress):
        if final.is_dir():
            return final
        # Only the holder of the lock makes these, so any that lie here belong to a process that was killed.
        for stale in root.glob(f"{name}.tmp*"):
            shutil.rmtree(stale, ignore_errors=True)
        temporary = Path(tempfile.mkdtemp(prefix=f"{name}.tmp", dir=root))
        try:
            make(temporary)
            temporary.replace(final)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return final


@contextmanager
def _held(lock: TextIO, name: str, progress: Progress) -> Iterator[None]:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        progress(f"waiting for another process that prepares {name}")
        fcntl.flock(lock, fcntl.LOCK_EX)
    yield
