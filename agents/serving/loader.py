"""Loader: from the name of a package to a version in memory, by way of the cache and of a trial in a child."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from driftline.agents.serving.errors import SwapError
from driftline.agents.serving.package import golden
from driftline.agents.serving.package.folder import read
from driftline.agents.serving.package.launcher import Launcher
from driftline.agents.serving.package.loading import load
from driftline.agents.serving.package.trial import BOUNDS, Bounds, trial
from driftline.agents.serving.slots import Loaded

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path

    from driftline.agents.serving.package.cache import Cache
    from driftline.agents.serving.package.in_place import Source
    from driftline.agents.serving.package.manifest import Manifest
    from driftline.schemas.control.command import ModelRef

WARM_CALLS: Final = 3
"""How often a model answers its golden rows before it serves: the first calls allocate."""


@dataclass(frozen=True, slots=True)
class Cached:
    """A package in the cache, verified and tried."""

    ref: ModelRef
    folder: Path
    manifest: Manifest
    memory_bytes: int
    trusted: Collection[str] = ()
    let_go: Callable[[], None] = field(default=lambda: None, repr=False)

    def load(self) -> Loaded:
        """Load and warm it.

        Raises:
            PackageError: it does not load.
            SwapError: it does not answer its golden rows.
        """
        manifest = self.manifest
        with ExitStack() as undone:
            model = load(self.folder, manifest, trusted=self.trusted)
            undone.callback(model.close)
            held = read(self.folder, manifest.golden.file, golden.MAX_BYTES)
            rows = golden.read(held, manifest.inputs, manifest.outputs)
            for _ in range(WARM_CALLS):
                found = model.predict(rows.inputs)
            wrong = golden.difference(
                rows.outputs, found, rtol=manifest.golden.rtol, atol=manifest.golden.atol
            )
            if wrong is not None:
                raise SwapError(f"{manifest.title} was loaded, and its answer {wrong}")
            undone.pop_all()
        return Loaded(self.ref, manifest, model, self.let_go)

    def release(self) -> None:
        """Let the files go."""
        self.let_go()


class PackageLoader:
    """Fetches packages.

    Args:
        cache: where they are copied to.
        source: where they are copied from.
        keys: gives the raw public keys, by id, of those who may have signed a package.
        trusted: types that policy trusts in skops files.
        bounds: of a trial.
    """

    def __init__(
        self,
        cache: Cache,
        source: Source,
        keys: Callable[[ModelRef], Mapping[str, bytes]],
        *,
        trusted: Collection[str] = (),
        bounds: Bounds = BOUNDS,
    ) -> None:
        self._cache, self._source, self._keys = cache, source, keys
        self._trusted, self._bounds = trusted, bounds
        self._launcher = Launcher()

    def fetch(self, ref: ModelRef) -> Cached:
        """Copy, verify and try a package.

        Raises:
            PackageError: it cannot be had, is not what was signed, or did not pass its trial.
        """
        held = self._cache.take(ref, self._keys(ref), self._source)
        try:
            manifest = held.signed.manifest
            tried = trial(
                held.folder, manifest, trusted=self._trusted, bounds=self._bounds, launcher=self._launcher
            )
            tried.require()
        except BaseException:
            held.release()
            raise
        return Cached(ref, held.folder, manifest, tried.memory_bytes, self._trusted, held.release)
