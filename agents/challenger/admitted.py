"""Admitted: a package that was verified, copied, tried in a child, and only then loaded."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from driftline.agents.serving.loader import PackageLoader
from driftline.agents.serving.package.cache import Cache
from driftline.agents.serving.package.in_place import InPlace
from driftline.agents.serving.package.trial import BOUNDS, Bounds
from driftline.agents.serving.package.verify import verify

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from driftline.agents.serving.package.manifest import Manifest
    from driftline.agents.serving.package.model import LoadedModel
    from driftline.schemas.settings_packages import Packages


@contextmanager
def admitted(
    folder: Path, keys: Mapping[str, bytes], packages: Packages, bounds: Bounds = BOUNDS
) -> Iterator[tuple[Manifest, LoadedModel]]:
    """Load a package that lies in a folder, from a private copy of it, for as long as it is needed.

    Args:
        folder: the package.
        keys: raw public keys, by id, of those who may sign packages.
        packages: where copies lie, and which types policy trusts.
        bounds: of its trial.

    Raises:
        PackageError: it is broken, signed by nobody who may, or did not pass its trial.
        SwapError: it was loaded, and answers its golden rows otherwise.
    """
    signed = verify(folder, keys)
    cache = Cache(Path(packages.cache_dir), max_bytes=packages.cache_bytes)
    loader = PackageLoader(
        cache, InPlace(folder, signed), lambda _: keys, trusted=packages.trusted, bounds=bounds
    )
    fetched = loader.fetch(signed.ref)
    try:
        model = fetched.load().model
        try:
            yield fetched.manifest, model
        finally:
            model.close()
    finally:
        fetched.release()
