"""Closing the books of an emitter life: what is lost, what waits, what is on its way."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from driftline.streams.archive.emitter_books import lives_of
from driftline.streams.archive.reconcile import ENDED_AFTER_MS, Life, Spool, reconcile

NOW_MS = 1_700_000_000_000
BEAT_MS = 10_000
FINE = Life(
    deployment="churn",
    instance="host.7",
    epoch=1,
    topic="predictions",
    model_version="1",
    slot="champion",
    host="host",
    pid=7,
    enqueued=1_000,
    delivered=900,
    spooled=0,
    in_flight=100,
    dropped={},
    cap_rows=10_000,
    heartbeat_at_ms=NOW_MS - 5_010,
    arrived_ms=NOW_MS - 5_000,
    beat_ms=BEAT_MS,
    closed=False,
    stored_rows=900,
    missing_batches=0,
)
OLD_MS = NOW_MS - ENDED_AFTER_MS - 1
ENDED = replace(FINE, heartbeat_at_ms=OLD_MS, arrived_ms=OLD_MS)


def test_a_life_whose_rows_are_all_somewhere_is_ok() -> None:
    """Delivered rows are stored and the others are in memory: ok, and the sentence says how many are on their way."""
    account = reconcile(FINE, NOW_MS)
    assert (account.state, account.verdict, account.lost_in_crash, account.unarrived) == ("alive", "ok", 0, 0)
    assert account.sentences == ("All 1,000 rows are accounted for, 100 of them on their way.",)


def test_rows_in_memory_of_a_life_that_ended_were_lost() -> None:
    """Nothing was heard for five minutes: the hundred rows in memory are lost, and that is a failure."""
    account = reconcile(ENDED, NOW_MS)
    assert (account.state, account.verdict, account.lost_in_crash) == ("ended", "fail", 100)
    assert account.sentences[0].startswith("100 rows were lost in a crash (at most 10,000, its buffer)")
    assert reconcile(ENDED, OLD_MS + ENDED_AFTER_MS).lost_in_crash == 0


def test_what_was_stored_after_the_last_heartbeat_is_not_lost() -> None:
    """Sixty rows arrived after the last word: forty are lost."""
    assert reconcile(replace(ENDED, stored_rows=960), NOW_MS).lost_in_crash == 40
    assert reconcile(replace(ENDED, stored_rows=1_200), NOW_MS).lost_in_crash == 0


def test_no_fewer_rows_were_taken_than_came() -> None:
    """Killed after its last word: what was delivered or stored was enqueued; how much more is not known."""
    dead = replace(ENDED, enqueued=9_200, delivered=9_000, in_flight=200, stored_rows=20_800)
    for account in (
        reconcile(replace(dead, spool=Spool(0, 8_000)), NOW_MS),
        reconcile(dead, OLD_MS + 4 * BEAT_MS),
    ):
        assert (account.enqueued, account.lost_in_crash, account.verdict) == (20_800, 0, "warn")
        assert account.sentences[0] == (
            "It last announced 9,200 rows; 20,800 have come, and how many more it took is not known."
        )
    assert reconcile(replace(dead, stored_rows=0, spool=Spool(0, 8_000)), NOW_MS).enqueued == 17_000


def test_a_live_emitter_has_taken_what_came_since_its_last_word() -> None:
    """Between two heartbeats more is stored than was announced: ok, and none of it is still on its way."""
    account = reconcile(replace(FINE, stored_rows=1_200), NOW_MS)
    assert (account.enqueued, account.sentences) == (1_200, ("All 1,200 rows are accounted for.",))
    assert reconcile(FINE, NOW_MS).enqueued == 1_000


def test_no_more_is_lost_than_the_buffer_holds() -> None:
    """The cap of the buffer bounds the loss, and so does what was in memory."""
    assert reconcile(replace(ENDED, cap_rows=30), NOW_MS).lost_in_crash == 30
    assert reconcile(replace(ENDED, cap_rows=0), NOW_MS).lost_in_crash == 100


def test_a_closed_life_loses_nothing() -> None:
    """After an orderly close nothing can be lost, however long ago it was."""
    closed = replace(ENDED, closed=True, delivered=1_000, in_flight=0, stored_rows=1_000)
    account = reconcile(closed, NOW_MS)
    assert (account.state, account.verdict, account.lost_in_crash) == ("closed", "ok", 0)


def test_a_newer_life_ends_one_that_fell_silent_beside_it() -> None:
    """A later epoch heard long after the last word ends a life; two that are heard at the same time both live."""
    replaced = replace(FINE, newer_ms=FINE.arrived_ms + 3 * BEAT_MS + 1)
    account = reconcile(replaced, NOW_MS)
    assert (account.state, account.lost_in_crash) == ("ended", 100)
    assert "a newer life of it goes on" in account.sentences[-1]
    assert reconcile(replace(FINE, newer_ms=FINE.arrived_ms + BEAT_MS), NOW_MS).state == "alive"


def test_a_life_that_missed_some_heartbeats_is_silent_and_not_yet_ended() -> None:
    """Past three heartbeats it is silent: a warning, and nothing is called lost."""
    account = reconcile(FINE, FINE.arrived_ms + 3 * BEAT_MS + 1_000)
    assert (account.state, account.verdict, account.lost_in_crash) == ("silent", "warn", 0)
    assert account.sentences == ("It is silent: nothing was heard for 31 s.",)


def test_delivered_rows_that_the_archive_lacks_fail_once_they_had_time_to_arrive() -> None:
    """Fresh, they are on their way; five minutes later Kafka has them and the archive refused or lost them."""
    short = replace(FINE, stored_rows=850)
    fresh = reconcile(short, NOW_MS)
    assert (fresh.verdict, fresh.unarrived) == ("warn", 50)
    assert fresh.sentences == ("50 delivered rows are not in the archive yet.",)
    late = reconcile(replace(short, closed=True, delivered=1_000, in_flight=0), NOW_MS + ENDED_AFTER_MS)
    assert (late.verdict, late.unarrived) == ("fail", 150)


def test_a_spool_on_disk_waits_and_is_not_lost() -> None:
    """Rows on the disk of a dead host wait for whoever takes them over."""
    account = reconcile(replace(ENDED, spooled=100, in_flight=0), NOW_MS)
    assert (account.lost_in_crash, account.spooled, account.verdict) == (0, 100, "warn")
    assert "100 rows wait on the disk of host" in account.sentences[0]


def test_an_adopted_spool_is_told_by_its_adopter() -> None:
    """What the adopter delivered, dropped and still holds stands in place of what the dead life had on disk."""
    dead = replace(ENDED, spooled=100, in_flight=0, dropped={"expired": 5}, enqueued=1_005, stored_rows=960)
    account = reconcile(replace(dead, spool=Spool(30, 60, {"expired": 10})), NOW_MS)
    assert (account.delivered, account.spooled, account.dropped) == (960, 30, {"expired": 15})
    assert account.lost_in_crash == 0
    assert account.sentences[:2] == (
        "15 rows were given up: 15 expired.",
        "30 rows wait on disk, to be sent.",
    )


@pytest.mark.parametrize(
    ("skew_ms", "sentence"),
    [(1_001, "1,001 ms ahead"), (1_000, None), (-60_000, None), (-60_001, "60,001 ms behind")],
)
def test_a_wrong_clock_is_told(skew_ms: int, sentence: str | None) -> None:
    """A second ahead of the broker is impossible, a minute behind is doubtful; less is the way of the heartbeat."""
    account = reconcile(replace(FINE, heartbeat_at_ms=FINE.arrived_ms + skew_ms), NOW_MS)
    assert account.clock_skew_ms == skew_ms
    assert account.verdict == ("warn" if sentence else "ok")
    assert (sentence or "accounted for") in account.sentences[0]


def test_an_account_that_does_not_add_up_fails() -> None:
    """At every heartbeat enqueued = delivered + dropped + spooled + in flight; and no batch lies here twice."""
    assert reconcile(replace(FINE, enqueued=1_001), NOW_MS).verdict == "fail"
    assert reconcile(replace(FINE, doubled_batches=1), NOW_MS).sentences == ("1 batches are stored twice.",)


def said(epoch: int, arrived_s: int, **changes: object) -> dict[str, object]:
    """Return a row of `emitters_now`."""
    names = ("deployment", "instance", "topic", "model_version", "slot", "host", "pid", "enqueued", "delivered",
             "spooled", "in_flight", "dropped", "closed")  # fmt: skip
    time = datetime.fromtimestamp(arrived_s, UTC)
    row = {name: getattr(FINE, name) for name in names}
    row |= {
        "epoch": epoch,
        "arrived": time,
        "heartbeat_at": time,
        "heartbeat_ms": BEAT_MS,
        "buffer_cap_rows": 9,
    }
    return row | changes


def test_lives_are_joined_from_what_was_said_and_what_is_stored() -> None:
    """Each life has its stored rows, what its spool became in several hands, and when a later epoch was heard."""
    rows = [said(1, 100), said(1, 100, topic="labels"), said(2, 90), said(3, 300), said(9, 500, instance="x")]
    key = {"deployment": "churn", "instance": "host.7", "epoch": 1, "topic": "predictions"}
    stored = [{**key, "stored_rows": 800, "missing_batches": 2}]
    hands = [
        {**key, "spooled": 50, "delivered": 10, "dropped": {"expired": 1}},
        {**key, "spooled": 20, "delivered": 30, "dropped": {"expired": 2}},
    ]
    lives = lives_of(rows, stored, [{**key, "doubled": 1}], hands)
    assert [(life.epoch, life.topic, life.newer_ms) for life in lives] == [
        (1, "predictions", 300_000),
        (1, "labels", 300_000),
        (2, "predictions", 300_000),
        (3, "predictions", None),
        (9, "predictions", None),
    ]
    first = lives[0]
    assert (first.stored_rows, first.missing_batches, first.doubled_batches) == (800, 2, 1)
    assert first.spool == Spool(20, 40, {"expired": 3})
    assert (lives[1].stored_rows, lives[1].spool) == (0, None)
    assert first.arrived_ms == 100_000


def test_a_time_without_a_zone_is_utc() -> None:
    """Times that come without a zone mean what they say in UTC, wherever this machine stands."""
    naive = datetime(1970, 1, 1, 0, 1, 40)  # noqa: DTZ001 - that is the point
    assert lives_of([said(1, 0, arrived=naive)], [], [], [])[0].arrived_ms == 100_000
