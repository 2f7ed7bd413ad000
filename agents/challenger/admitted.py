"""Admitted: a package that was verified, copied, tried in a child, and only then loaded."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from driftline.agents.serving.package.cache import Cache
from driftline.agents.serving.package.in_place import InPlace
from driftline.agents.serving.package.loading import load
from driftline.agents.serving.package.trial import trial
from driftline.agents.serving.package.verify import verify

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from driftline.agents.serving.package.manifest import Manifest
    from driftline.agents.serving.package.model import LoadedModel
    from driftline.schemas.settings_packages import Packages


@contextmanager
def admitted(
    folder: Path, keys: Mapping[str, bytes], packages: Packages
) -> Iterator[tuple[Manifest, LoadedModel]]:
    """Load a package that lies in a folder, from a private copy of it, for as long as it is needed.

    Args:
        folder: the package.
        keys: raw public keys, by id, of those who may sign packages.
        packages: where copies lie, and which types policy trusts.

    Raises:
        PackageError: it is broken, signed by nobody who may, or did not pass its trial.
    """
    signed = verify(folder, keys)
    cache = Cache(Path(packages.cache_dir), max_bytes=packages.cache_bytes)
    with cache.take(signed.ref, keys, InPlace(folder, signed)) as held:
        trial(held.folder, held.signed.manifest, trusted=packages.trusted).require()
        model = load(held.folder, held.signed.manifest, trusted=packages.trusted)
        try:
            yield held.signed.manifest, model
        finally:
            model.close()
