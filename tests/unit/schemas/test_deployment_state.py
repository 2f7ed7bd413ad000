"""Revisions of the settings of a deployment: which follows, which is in force, what is refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from driftline.schemas import codec
from driftline.schemas.deployment import AlertRule, DeploymentSettings
from driftline.schemas.deployment_state import (
    KEPT,
    DeploymentState,
    defaults,
    follows,
    in_force,
    known_after,
    next_state,
    read_record,
    serving_of,
)
from driftline.schemas.refusal import Refused
from driftline.schemas.topics import STATES, topic

FIRST = DeploymentSettings(deployment="d", owner="Ana")
SECOND = DeploymentSettings(deployment="d", owner="Ben")


def revision(number: int, since_ms: int = 0, **fields: Any) -> DeploymentState:
    """Return one revision of `d`."""
    return msgspec.structs.replace(
        next_state(None, FIRST, changed_by="ana", now_ms=5), revision=number, since_ms=since_ms, **fields
    )


def test_the_first_revision_holds_for_all_of_the_past() -> None:
    """A stream whose past is read only now is judged by what was said about it."""
    state = next_state(None, FIRST, changed_by="ana", now_ms=500)
    assert (state.revision, state.since_ms, state.changed_by, state.changed_at_ms) == (1, 0, "ana", 500)


def test_a_later_revision_holds_from_now_on() -> None:
    """A change does not reach back, unless it says from when it holds."""
    held = revision(7)
    state = next_state(held, SECOND, changed_by="ben", now_ms=900)
    assert (state.revision, state.since_ms, state.settings) == (8, 900, SECOND)
    assert next_state(held, SECOND, changed_by="ben", now_ms=900, since_ms=3).since_ms == 3


def test_the_same_content_is_no_revision() -> None:
    """Saying again what holds gives the revision that is held, whoever says it; another start is a change."""
    held = revision(7, 40)
    assert next_state(held, FIRST, changed_by="ben", now_ms=900) is held
    assert next_state(held, FIRST, changed_by="ben", now_ms=900, since_ms=40) is held
    assert next_state(held, FIRST, changed_by="ben", now_ms=900, since_ms=30).revision == 8


def test_of_two_equal_revisions_the_first_holds() -> None:
    """A record says something only when its revision is greater."""
    assert follows(revision(1), None)
    assert follows(revision(3), revision(2))
    assert not follows(revision(2), revision(2))
    assert not follows(revision(1), revision(2))


def test_the_greatest_revision_that_holds_yet_is_in_force() -> None:
    """Event time chooses: a later revision that reaches back covers those before it."""
    known = [revision(1), revision(2, 100), revision(3, 50)]
    found = [in_force(known, at_ms) for at_ms in (0, 49, 50, 100, 10**12)]
    assert [state and state.revision for state in found] == [1, 1, 3, 3, 3]


def test_before_all_known_revisions_the_least_is_in_force() -> None:
    """Older revisions may be compacted away: what is known of a deployment is nearer to them than defaults."""
    found = in_force([revision(5, 100), revision(6, 200)], 10)
    assert found is not None
    assert found.revision == 5
    assert in_force([], 10) is None


def test_nobody_published_the_defaults() -> None:
    """A deployment without settings has revision 0."""
    assert defaults("d").revision == 0
    assert defaults("d").settings == DeploymentSettings(deployment="d")


def test_the_topic_is_in_the_table() -> None:
    """Records go to a compacted topic, keyed by deployment."""
    assert topic(STATES).compacted
    assert topic(STATES).key == "deployment"


def record(**fields: Any) -> bytes:
    """Encode a record of `d` with other values, unchecked."""
    return codec.encode("DeploymentState", msgspec.to_builtins(revision(1)) | fields)


def settings(**fields: Any) -> dict[str, Any]:
    """Return the part `settings` of a record with other values, unchecked."""
    return {"settings": msgspec.to_builtins(FIRST) | fields}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "bad_magic"),
        (
            codec.encode("Label", {"deployment": "d", "id": "x", "known_at_ms": 5, "value": 1.0}),
            "unsupported_type",
        ),
        (record(revision=0), "impossible_value"),
        (record(since_ms=-1), "impossible_value"),
        (record(changed_at_ms=2**62), "impossible_value"),
        (record(deployment="e"), "impossible_value"),
        (record(**settings(importance="urgent")), "impossible_value"),
        (record(**settings(threshold=float("nan"))), "impossible_value"),
        (record(**settings(alerts=msgspec.to_builtins(AlertRule(k=9, m=2)))), "impossible_value"),
        (record(**settings(deployment="a/b")), "impossible_value"),
    ],
)
def test_bytes_that_are_no_settings_are_refused(data: bytes, reason: str) -> None:
    """What a file may not say, a record may not say either."""
    with pytest.raises(Refused) as found:
        DeploymentState.from_bytes(data)
    assert found.value.reason == reason


def test_a_record_lies_under_its_deployment() -> None:
    """A key that is not the deployment would leave two records of one deployment after compaction."""
    assert read_record(b"d", record()) == (revision(1),)
    for key in (b"e", None):
        with pytest.raises(Refused) as found:
            read_record(key, record())
        assert found.value.reason == "wrong_key"


def test_a_record_carries_the_revisions_before_it() -> None:
    """The last of them, oldest first: whoever reads it alone knows what was in force before."""
    known = [revision(number, number * 10) for number in range(1, KEPT + 3)]
    found = read_record(b"d", known[-1].to_bytes(known[:-1]))
    assert list(found) == known[-KEPT:]
    assert DeploymentState.from_bytes(known[-1].to_bytes(known[:-1])) == known[-1]


def test_revisions_before_it_make_no_record_too_large() -> None:
    """What no longer fits is left out, the oldest first, so that settings which fit alone can be published."""
    large = DeploymentSettings(deployment="d", feature_importance={f"x{n:0190}": 1.0 for n in range(2_000)})
    known = [revision(number, settings=large) for number in (1, 2, 3, 4)]
    assert [one.revision for one in read_record(b"d", known[3].to_bytes(known[:3]))] == [3, 4]


def test_an_earlier_revision_that_is_not_allowed_is_left_out() -> None:
    """It hides neither the newest one nor the others; one that is not earlier says nothing."""
    told = [msgspec.to_builtins(revision(number)) for number in (1, 2, 9)]
    for each in told:
        del each["deployment"]
    told[0] |= settings(importance="urgent")
    assert read_record(b"d", record(revision=3, earlier=told)) == (revision(2), revision(3))


def test_what_is_known_grows_by_what_a_record_tells() -> None:
    """Of two with one revision the one held stays; a record that does not follow changes nothing."""
    held = (revision(2, 20), revision(3, 30))
    read = (revision(1, 10), revision(3, 31), revision(4, 40))
    assert known_after(held, read) == (revision(1, 10), *held, revision(4, 40))
    assert known_after(held, (revision(1, 10), revision(3, 31))) == held
    assert known_after((), read) == read


def test_what_serves_travels_beside_the_settings() -> None:
    """Readers of settings read a record with an envelope of what serves as if it had none, and agents find it."""
    with_it, without = revision(2).to_bytes([revision(1)], b"{}"), revision(2).to_bytes([revision(1)])
    assert read_record(b"d", with_it) == read_record(b"d", without)
    assert (serving_of(b"d", with_it), serving_of(b"d", without)) == (b"{}", None)
    with pytest.raises(Refused, match="lies under the key"):
        serving_of(b"e", with_it)


def test_a_deployment_without_settings_may_serve() -> None:
    """A record of what serves alone says nothing of settings: what is known of them stays, or the defaults hold."""
    record = defaults("d").to_bytes((), b"{}")
    assert read_record(b"d", record) == ()
    assert known_after((revision(3),), read_record(b"d", record)) == (revision(3),)
    assert known_after((), read_record(b"d", record)) == ()
    with pytest.raises(Refused):
        read_record(b"d", defaults("d").to_bytes())
