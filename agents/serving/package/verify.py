"""Verification of a package in a folder: signed by whom, each file as listed, nothing else there, nothing harmful."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

from driftline.agents.serving.package.errors import BrokenPackageError
from driftline.agents.serving.package.folder import listed, measured, opened, read, shown
from driftline.agents.serving.package.inside import content_faults
from driftline.agents.serving.package.layout import FILE
from driftline.agents.serving.package.manifest import Manifest
from driftline.agents.serving.package.signed import Signed, opened_manifest
from driftline.schemas.control import envelope as envelopes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

MAX_FAULTS: Final = 20


def verify(folder: Path, keys: Mapping[str, bytes] | None) -> Signed:
    """Hold a package against its manifest.

    Args:
        folder: that holds it.
        keys: as for `opened_manifest`.

    Raises:
        BrokenPackageError: with the first thing that is wrong, and how many more there are.
        UntrustedPackageError: nobody signed it who may.
    """
    signed = opened_manifest(read(folder, FILE, envelopes.MAX_BYTES), keys)
    found = list(faults(folder, signed.manifest))
    if found:
        more = f" (and {len(found) - 1} more faults)" if len(found) > 1 else ""
        raise BrokenPackageError(f"the package {signed.manifest.title} is broken: {found[0]}{more}")
    return signed


def faults(folder: Path, manifest: Manifest) -> Iterator[str]:
    """Give everything that is wrong with the files of a package, a sentence each, at most 20."""
    yield from islice(_faults(folder, manifest), MAX_FAULTS)


def _faults(folder: Path, manifest: Manifest) -> Iterator[str]:
    try:
        there = listed(folder)
    except BrokenPackageError as error:
        yield str(error)
        return
    wanted = {file.path: file for file in manifest.files}
    for path in sorted(there.keys() - wanted.keys()):
        yield f"the file {shown(path)} is not listed in the manifest"
    whole = True
    for path, file in wanted.items():
        try:
            with opened(folder, path) as open_file:
                size, digest = (
                    (there.get(path, -1), "") if there.get(path) != file.size else measured(open_file)
                )
        except BrokenPackageError as error:
            whole = False
            yield str(error)
            continue
        if size != file.size:
            whole = False
            yield f"the file {shown(path)} has {size:,} bytes; the manifest says {file.size:,}"
        elif digest != file.sha256:
            whole = False
            yield f"the file {shown(path)} has the digest {digest[:16]}…; the manifest says {file.sha256[:16]}…"
    if whole:  # what is inside is looked at only once it is what was signed
        yield from content_faults(folder, manifest)
