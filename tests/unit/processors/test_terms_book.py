"""Look-ups of terms: anew where profile or settings are others, and bounded."""

from __future__ import annotations

import pytest
from declared import tell
from truth_models import MODELS, profile_of_model

from driftline.schemas.window import Figure
from driftline.streams.join import figures
from driftline.streams.join.outcomes import Outcomes
from driftline.streams.join.terms import Terms
from driftline.streams.processors.profile_book import ProfileBook
from driftline.streams.processors.settings_book import SettingsBook
from driftline.streams.processors.terms_book import TermsBook


def books() -> tuple[SettingsBook, ProfileBook, TermsBook]:
    """Return the books of an accuracy worker that knows nothing yet."""
    declared = SettingsBook()
    profiles = ProfileBook(lambda: None, declared=declared, keeps_truth=True)
    return declared, profiles, TermsBook(profiles, declared)


def test_a_first_revision_after_a_tombstone_holds() -> None:
    """Revision 1 published anew says something else than the revision 1 that was taken away."""
    declared, profiles, terms = books()
    profiles.on_record(b"churn/1", profile_of_model(MODELS[0], "1", 1).to_bytes(), 0)
    tell(declared, 1, minimum_rows=50, threshold=0.3)
    assert terms.terms("churn", "1", 0).settings.minimum_rows == 50
    declared.on_record(b"churn", None, 0)
    tell(declared, 1, minimum_rows=5_000, threshold=0.7)
    found = terms.terms("churn", "1", 0)
    assert found.settings.minimum_rows == 5_000
    assert found.scheme is not None
    assert found.scheme.threshold == 0.7
    assert terms.terms("churn", "1", 0) is found


def test_estimates_follow_settings_of_the_same_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was estimated under a revision 1 that is gone is not taken for what the new revision 1 says."""
    declared, profiles, terms = books()
    profiles.on_record(b"churn/1", profile_of_model(MODELS[0], "1", 1).to_bytes(), 0)
    made: list[int] = []

    def estimate(terms: Terms, *_: object, **__: object) -> list[Figure]:
        made.append(terms.settings.minimum_rows)
        return []

    monkeypatch.setattr(figures, "estimate_figures", estimate)
    estimates = figures.Estimates()
    for minimum_rows in (50, 5_000):
        declared.on_record(b"churn", None, 0)
        tell(declared, 1, minimum_rows=minimum_rows)
        found = terms.terms("churn", "1", 0)
        assert found.scheme is not None
        for _ in range(2):
            estimates.of("window", found, Outcomes.of(found.scheme), closed=True)
    assert made == [50, 5_000]


def test_versions_without_a_profile_are_not_remembered() -> None:
    """An emitter that names a commit as version costs a worker nothing that stays."""
    _, _, terms = books()
    for number in range(100):
        assert terms.terms("churn", f"v{number}", 0).scheme is None
    assert len(terms._known) == 0


def test_a_profile_that_was_replaced_goes() -> None:
    """However often the profile of a version is published anew, its last yardstick alone stays."""
    _, profiles, terms = books()
    for seed in range(3):
        profiles.on_record(b"churn/1", profile_of_model(MODELS[0], "1", seed).to_bytes(), 0)
        assert terms.terms("churn", "1", 0).yardstick is not None
    assert (len(terms._known), len(terms._yardsticks)) == (1, 1)
