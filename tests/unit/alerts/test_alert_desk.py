"""One partition's desk: what it stores, refuses and lets go."""

from __future__ import annotations

import msgspec
import pytest
from bad_windows import DAY_MS, OneBook, window

from driftline.schemas.alert import Alert
from driftline.schemas.deployment import AlertRule
from driftline.schemas.refusal import Refused
from driftline.streams.alerts import desk as module
from driftline.streams.alerts.desk import FORGOTTEN_MS, Desk
from driftline.streams.alerts.losses import Loss
from driftline.streams.alerts.stored import CASE, ROW, Row, reached

NOW_MS = 1_795_000_000_000
ONE = OneBook(alerts=AlertRule(k=1, m=1))


def stored(desk: Desk) -> dict[bytes, bytes]:
    """What a commit leaves in the store."""
    cases, _, row = desk.commit()
    return {key: value for key, value in (*cases, row) if value is not None}


def test_nothing_new_is_nothing_to_store() -> None:
    """A desk that has read nothing since its commit has not changed."""
    desk = Desk("t", ONE)
    assert not desk.has_changed
    desk.take(0, window(0, 0, {"x": "fail"}).to_bytes(), NOW_MS)
    assert desk.has_edges
    store = stored(desk)
    assert not desk.has_changed
    again = Desk("t", ONE)
    assert again.restore(store) == []
    assert (again.offset, again.has_changed, again.has_edges) == (0, False, False)
    assert again.cases == desk.cases


def test_records_that_cannot_be_read_are_passed_over() -> None:
    """Rubbish, and a record without a value, are counted; the position moves on."""
    desk = Desk("t", ONE)
    for offset, value in enumerate((b"rubbish", None, b"")):
        assert desk.take(offset, value, NOW_MS) == []
    assert (desk.refused, desk.offset, desk.cases) == (3, 2, {})


def test_names_differ_after_the_state_was_lost() -> None:
    """Ordinals begin at the second in which a deployment was first seen, so that no name comes twice."""
    names = set()
    for now_ms in (NOW_MS, NOW_MS + 60_000):
        desk = Desk("t", ONE)
        names |= {edge.id for edge in desk.take(0, window(0, 0, {"x": "fail"}).to_bytes(), now_ms)}
    assert len(names) == 2


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (Row(topic_id="other", offset=1, commit=1), "is of topic other, not t"),
        (Row(format=9, topic_id="t", offset=1, commit=1), "has format 9, not 1"),
    ],
)
def test_the_state_of_another_topic_or_release_is_refused(row: Row, sentence: str) -> None:
    """It is one sentence, and nothing is taken up."""
    with pytest.raises(Refused, match=sentence):
        Desk("t", ONE).restore({ROW: msgspec.msgpack.encode(row)})
    with pytest.raises(Refused, match="cannot be read"):
        Desk("t", ONE).restore({CASE + b"shop": b"\xc1"})


def test_of_two_rows_the_greater_holds() -> None:
    """A paused worker may have written after its successor."""
    rows = [msgspec.msgpack.encode(Row(topic_id="t", offset=offset, commit=1)) for offset in (3, 7)]
    assert [reached(None), *map(reached, rows)] == [-1, 3, 7]


def test_no_more_deployments_than_the_bound_are_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ones beyond are counted."""
    monkeypatch.setattr(module, "CASES", 2)
    desk = Desk("t", ONE)
    for offset, name in enumerate("abc"):
        desk.take(offset, window(0, 0, {"x": "fail"}, deployment=name).to_bytes(), NOW_MS)
    assert (sorted(desk.cases), desk.refused) == (["a", "b"], 1)


def test_a_state_that_grows_too_large_keeps_what_fires(monkeypatch: pytest.MonkeyPatch) -> None:
    """Subjects that only might become an alert are let go, and counted."""
    monkeypatch.setattr(module, "CASE_BYTES", 600)
    book = OneBook(alerts=AlertRule(k=1, m=2))
    desk = Desk("t", book)
    desk.take(0, window(0, 0, {"x": "fail"}).to_bytes(), NOW_MS)
    book.given = {"alerts": AlertRule(k=2, m=2)}
    desk.take(1, window(1, 1, {f"y{at}": "fail" for at in range(50)}).to_bytes(), NOW_MS)
    assert desk.cases["shop"].pending == 50
    store = stored(desk)
    assert (desk.cases["shop"].pending, len(desk.cases["shop"].firing), desk.cases["shop"].left_out) == (
        0,
        1,
        50,
    )
    assert len(store[CASE + b"shop"]) < 1_000


def test_what_nobody_hears_of_is_let_go() -> None:
    """After 90 days in silence without an alert its record becomes a tombstone; one that fires stays."""
    desk = Desk("t", OneBook())
    for day in range(2):
        desk.take(2 * day, window(day, day, {"x": "ok"}, deployment="quiet").to_bytes(), NOW_MS)
        desk.take(2 * day + 1, window(day, day, {"x": "fail"}, deployment="loud").to_bytes(), NOW_MS)
    desk.commit()
    desk.look({}, NOW_MS + FORGOTTEN_MS + 2_000)
    assert sorted(desk.cases) == ["loud"]
    assert (CASE + b"quiet", None) in desk.commit().cases


def test_what_only_an_earlier_version_had_is_resolved_when_m_windows_have_passed() -> None:
    """A feature of version 1 fires no more when m windows are of version 2; one that it names stays. Over restarts."""
    book = OneBook(alerts=AlertRule(k=1, m=2))
    desk = Desk("t", book)
    desk.take(0, window(0, 0, {"old": "fail", "both": "fail"}, model_version="1").to_bytes(), NOW_MS)
    edges = []
    for day in (1, 2, 3):
        again = Desk("t", book)
        again.restore(stored(desk))
        desk = again
        said = {"both": "inconclusive", "new": "ok"}
        edges += [
            (day, one) for one in desk.take(day, window(day, day, said, model_version="2").to_bytes(), NOW_MS)
        ]
    assert [(day, one.name, one.state) for day, one in edges] == [(2, "old", "resolved")]
    assert edges[0][1].reason == (
        "The last 2 windows of 1d are not of version 1, and none has this any more."
    )


@pytest.mark.parametrize(("m", "days"), [(1, 7), (3, 7), (10, 10)])
def test_what_fires_of_a_slot_that_ended_is_resolved(m: int, days: int) -> None:
    """Once another slot is more than seven widths, and more than m, ahead; restated windows of it fire no more."""
    desk = Desk("t", OneBook(alerts=AlertRule(k=1, m=m)))
    (fired,) = desk.take(0, window(0, 0, {"x": "fail"}, slot="challenger").to_bytes(), NOW_MS)
    for day in range(days + 1):
        assert desk.take(1 + day, window(day, 0, {"x": "ok"}).to_bytes(), NOW_MS) == []
    (gone,) = desk.take(50, window(days + 1, 0, {"x": "ok"}).to_bytes(), NOW_MS)
    assert isinstance(fired, Alert)
    assert isinstance(gone, Alert)
    assert (gone.alert_id, gone.state) == (fired.alert_id, "resolved")
    assert gone.reason.startswith("Windows of 1d have gone on without the slot challenger")
    assert desk.take(51, window(0, 1, {"x": "fail"}, slot="challenger").to_bytes(), NOW_MS) == []
    back = window(days + 2, 0, {"x": "fail"}, slot="challenger").to_bytes()
    assert [one.state for one in desk.take(52, back, NOW_MS) if isinstance(one, Alert)] == ["firing"]


def test_losses_of_a_deployment_without_windows_fire_too() -> None:
    """An emitter that could never send is heard of."""
    desk = Desk("t", OneBook(owner="Ana"))
    (edge,) = desk.look({"shop": Loss("fail", 3, NOW_MS, "3 rows.")}, NOW_MS + DAY_MS)
    assert (edge.about, edge.rows, edge.owner) == ("loss", 3, "Ana")
    assert Alert.from_bytes(desk.commit().edges[0][1]) == edge
