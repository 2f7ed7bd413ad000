"""Look-ups of settings: by event time, bounded, undisturbed by bad records."""

from __future__ import annotations

import pytest

from driftline.schemas.deployment import DeploymentSettings
from driftline.schemas.deployment_state import KEPT, DeploymentState
from driftline.streams.processors.settings_book import SettingsBook


def state(revision: int, since_ms: int, deployment: str = "d") -> DeploymentState:
    """Return a revision whose owner is its number."""
    settings = DeploymentSettings(deployment=deployment, owner=str(revision))
    return DeploymentState(
        deployment=deployment,
        revision=revision,
        since_ms=since_ms,
        changed_by="ana",
        changed_at_ms=1,
        settings=settings,
    )


def book(*states: DeploymentState) -> SettingsBook:
    """Return a book that was told these, in this order."""
    made = SettingsBook()
    for each in states:
        made.on_record(each.deployment.encode(), each.to_bytes(), 0)
    return made


def test_a_deployment_without_settings_has_the_defaults() -> None:
    """Nothing has to be published for a deployment to be judged."""
    assert book().settings("d", 5) == DeploymentSettings(deployment="d")
    assert book(state(1, 0, "e")).state("d", 5).revision == 0
    assert book().latest("d").revision == 0


def test_a_window_is_judged_with_the_settings_at_its_end() -> None:
    """A change does not reach back to windows that ended before it; each deployment has its own."""
    held = book(state(1, 0), state(2, 100), state(1, 0, "e"))
    assert [held.settings("d", at_ms).owner for at_ms in (0, 99, 100, 500)] == ["1", "1", "2", "2"]
    assert held.settings("e", 500).owner == "1"
    assert held.latest("d").revision == 2


def test_a_record_read_again_changes_nothing() -> None:
    """After a reconnect a topic may be read again from its start."""
    held = book(state(1, 0), state(2, 100), state(1, 0), state(2, 100))
    assert [held.state("d", at_ms).revision for at_ms in (50, 150)] == [1, 2]


def test_revisions_are_bounded() -> None:
    """The last revisions stay; before the first of them that one holds."""
    held = book(*(state(number, number * 10) for number in range(1, KEPT + 6)))
    assert held.state("d", 0).revision == 6
    assert held.state("d", 10**9).revision == KEPT + 5
    assert len(held._revisions["d"]) == KEPT


def test_after_compaction_the_past_is_judged_as_before() -> None:
    """The newest record alone tells a worker that starts what was in force at the end of windows before it."""
    known = [state(number, number * 100) for number in range(1, KEPT + 3)]
    for count in range(1, len(known) + 1):
        made = SettingsBook()
        made.on_record(b"d", known[count - 1].to_bytes(known[: count - 1]), 0)
        running = book(*known[:count])
        for at_ms in range(0, 1_200, 50):
            assert made.state("d", at_ms) == running.state("d", at_ms)


def test_a_tombstone_brings_the_defaults_back() -> None:
    """What was taken from the topic is in force no more, and a first revision may follow."""
    held = book(state(4, 0))
    held.on_record(b"d", None, 0)
    assert held.state("d", 5).revision == 0
    held.on_record(b"d", state(1, 0).to_bytes(), 0)
    assert held.state("d", 5).revision == 1


def test_a_bad_record_leaves_what_was_in_force(caplog: pytest.LogCaptureFixture) -> None:
    """Bytes that are no settings, or lie under a wrong key, are said and left out."""
    held = book(state(1, 0))
    held.on_record(b"d", b"nonsense", 0)
    held.on_record(b"d", state(9, 0, "e").to_bytes(), 0)
    held.on_record(None, state(9, 0).to_bytes(), 0)
    assert held.state("d", 5).revision == 1
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "settings of 'd' are left out",
        "settings of 'd' are left out",
        "settings of '' are left out",
    ]
