"""Fetched: a package that is here and not in memory yet; loading and closing it, whatever its model does."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final, Protocol

from driftline.agents.serving.errors import SwapError
from driftline.agents.serving.package.errors import said
from driftline.agents.serving.package.replacement import misfits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from driftline.agents.serving.package.manifest import Manifest
    from driftline.agents.serving.slots import Loaded
    from driftline.schemas.control.command import ModelRef
    from driftline.schemas.control.serving_state import ServingState

SAID_CHARS: Final = 450
"""Of the sentence of an error, which an ack carries."""


class Fetched(Protocol):
    """A package that is here, verified and tried, and not loaded yet."""

    @property
    def manifest(self) -> Manifest:
        """As it was signed."""
        ...

    @property
    def memory_bytes(self) -> int:
        """What its model took in its trial; 0 when that is not known."""
        ...

    def load(self) -> Loaded:
        """Load and warm it; blocks."""
        ...

    def release(self) -> None:
        """Let it go unloaded."""
        ...


def fetch(how: Callable[[ModelRef], Fetched], ref: ModelRef) -> Fetched:
    """Fetch a package; raises SwapError whatever goes wrong."""
    with _in_words(f"{ref.name} {ref.version} ran out of memory"):
        return how(ref)


def unfit(present: Manifest | None, following: Manifest) -> str | None:
    """Why callers of what answers now cannot ask a package; None when they can."""
    wrong = misfits(present, following) if present is not None else []
    return wrong[0] if wrong else None


def of_another_tier(ref: ModelRef, state: ServingState, manifest: Manifest) -> str | None:
    """Why a package is another than a state says: its approvals were counted for another tier; None when it is that."""
    version = state.version(ref)
    if version is None or version.tier == manifest.tier:
        return None
    return (
        f"{manifest.title} is of tier {manifest.tier}, and the state calls it {version.tier}: approvals for that say "
        "nothing of it"
    )


def judge(ref: ModelRef, state: ServingState, manifest: Manifest, present: Manifest | None) -> None:
    """Refuse a package that is another than a state says, or that callers of what answers now cannot ask.

    Raises:
        SwapError: it is refused.
    """
    wrong = of_another_tier(ref, state, manifest)
    if wrong is None and ref in state.prepares:
        wrong = unfit(present, manifest)
    if wrong is not None:
        raise SwapError(wrong)


def no_room(fetched: Fetched, held: Sequence[str], free_bytes: int, loading_bytes: int, advice: str) -> str:
    """Why a package does not fit beside titles that are in memory and bytes that are being loaded, and what helps."""
    loading = f" and {loading_bytes:,} bytes that are being loaded" if loading_bytes else ""
    free = max(0, free_bytes - loading_bytes)
    return (
        f"{fetched.manifest.title} takes {fetched.memory_bytes:,} bytes of memory, and {free:,} are free beside "
        f"{', '.join(held) or 'nothing'}{loading}: {advice}"
    )


def load(fetched: Fetched) -> Loaded:
    """Load a package; what does not load is let go of, and raises SwapError."""
    with _in_words(f"{fetched.manifest.title} ran out of memory while it was loaded"), ExitStack() as undone:
        undone.callback(fetched.release)
        loaded = fetched.load()
        undone.pop_all()
        return loaded


@contextmanager
def _in_words(without_memory: str) -> Iterator[None]:
    """Turn whatever a package raises into SwapError."""
    try:
        yield
    except MemoryError as error:
        raise SwapError(without_memory) from error
    except SwapError:
        raise
    except Exception as error:
        raise SwapError(said(error, SAID_CHARS)) from error


def close(loaded: Loaded) -> None:
    """Close a model, and let go of its files."""
    try:
        loaded.model.close()
    finally:
        loaded.release()
