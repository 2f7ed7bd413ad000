"""Look-ups of profiles: bounded asking, bounded memory."""

from __future__ import annotations

from declared import tell

from driftline.streams.processors import profile_book
from driftline.streams.processors.profile_book import ASK_AGAIN_S, DEFAULT_RESOLUTIONS, REFRESH_S, ProfileBook
from driftline.streams.processors.settings_book import SettingsBook


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


def test_settings_say_which_widths_are_counted_whatever_the_profile_does() -> None:
    """The newest revision holds for all that is counted from then on; without widths in it the profile's come back."""
    declared = SettingsBook()
    book = ProfileBook(lambda: None, declared=declared)
    tell(declared, 1, resolutions=("1d", "1h"))
    assert book.resolutions("churn", "1") == ("1h", "1d")
    assert book.resolutions("other", "1") == DEFAULT_RESOLUTIONS
    tell(declared, 2, since_ms=10**12)
    assert book.resolutions("churn", "1") == DEFAULT_RESOLUTIONS
    assert [book.state("churn", at_ms).revision for at_ms in (0, 10**12)] == [1, 2]
