"""Look-ups of profiles: bounded asking, bounded memory."""

from __future__ import annotations

from driftline.streams.processors import profile_book
from driftline.streams.processors.profile_book import ASK_AGAIN_S, DEFAULT_RESOLUTIONS, REFRESH_S, ProfileBook


def test_any_number_of_unknown_versions_asks_once_a_second() -> None:
    """One emitter that names a commit as version does not stop the worker at each of its batches."""
    asked: list[float] = []
    now = [0.0]
    book = ProfileBook(lambda: asked.append(now[0]), lambda: now[0])
    for number in range(1_000):
        assert book.resolutions("d", str(number)) == DEFAULT_RESOLUTIONS
    assert len(asked) == 1
    now[0] += REFRESH_S
    book.layout("d", "5")
    assert len(asked) == 2
    book.layout("d", "5")
    now[0] += ASK_AGAIN_S - 0.1
    book.layout("d", "5")
    assert len(asked) == 2


def test_unknown_versions_are_bounded() -> None:
    """Past the cap the version met longest ago is forgotten."""
    book = ProfileBook(lambda: None)
    for number in range(profile_book.MAX_UNKNOWN + 50):
        book.layout("d", str(number))
    assert len(book._unknown) == profile_book.MAX_UNKNOWN
