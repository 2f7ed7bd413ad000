"""A prediction as it is told of, and the proof of who put its version there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from audit_logs import Book, filled
from signed import command, model

from driftline.agents.audit.record import digest
from driftline.deploy.control import traced as module
from driftline.deploy.control.errors import TraceError
from driftline.deploy.control.inclusion import included
from driftline.deploy.control.traced import Traced
from driftline.schemas.control.serving_state import ServingState
from driftline.schemas.ids import ids_named
from driftline.schemas.settings import Settings
from driftline.streams.clickhouse.audit_rows import audit_rows, line_of
from driftline.streams.clickhouse.trace_reads import served_at

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
PLACE = {
    "deployment": "churn",
    "prediction_id": bytes(16),
    "ts": NOON,
    "arrived": NOON + timedelta(seconds=1),
    "model_version": "2",
    "slot": "champion",
}
PREDICTION = {
    "original_id": "order-7",
    "features": {"age": 41.0, "country": "fr", "wind": None},
    "scores": {"score": 0.25},
    "segments": {},
    "predicted": "no",
    "latency_ms": 1.5,
    "status": "ok",
}
PLACED = {
    "op": "promote",
    "seq": 12,
    "decided_at": NOON - timedelta(days=1),
    "actor": "ann",
    "approvers": ("bob", "cat"),
    "manifest": "ab" * 32,
    "package": "ab" * 32,
    "digest": "cd" * 32,
    "record": b"",
}


def traced(**over: Any) -> Traced:
    """A prediction of which all is known, unless arguments replace it."""
    whole: dict[str, Any] = {
        "place": PLACE,
        "prediction": PREDICTION,
        "label": {"value": 1.0, "known_at": NOON},
        "state": {"revision": 9, "seq": 13, "decided_at": NOON, "answering": "2"},
        "placed": PLACED,
    }
    return Traced(**{**whole, **over})


def test_all_of_a_prediction_is_told() -> None:
    """The facts name what it was of, how it turned out, and who put the version there."""
    facts = traced().facts()
    assert (facts["original_id"], facts["revision"], facts["manifest"]) == ("order-7", 9, "ab" * 32)
    assert facts["features"] == {"age": 41.0, "country": "fr", "wind": None}
    assert facts["label"] == {"value": 1.0, "known_at": "2026-01-05T12:00:00.000Z"}
    assert facts["placed_by"] == {
        "op": "promote",
        "actor": "ann",
        "approvers": ["bob", "cat"],
        "break_glass": False,
        "at": "2026-01-04T12:00:00.000Z",
        "seq": 12,
    }
    assert dict(traced().lines())["put there"] == (
        "by ann (promote), approved by bob, cat, 2026-01-04T12:00:00.000Z"
    )


@pytest.mark.parametrize(("answering", "said"), [("4", "lets 4 answer"), ("", "lets nobody answer")])
def test_an_answer_beside_its_revision_is_said_to_be_one(answering: str, said: str) -> None:
    """An agent that obeys a local command, or has not carried a change out yet, answers by no revision of the audit."""
    state = {"revision": 9, "seq": 13, "decided_at": NOON, "answering": answering}
    one = traced(state=state)
    assert said in dict(one.lines())[""]
    assert one.facts()["answering"] == (answering or None)
    assert "" not in dict(traced(state=state, place={**PLACE, "slot": "canary"}).lines())
    assert "" not in dict(traced().lines())


def test_lineage_outlives_features() -> None:
    """What retention or forget took is said to be gone; version, slot and people stay."""
    bare = traced(prediction=None, label=None)
    lines = dict(bare.lines())
    assert lines["features"].startswith("gone")
    assert (lines["label"], bare.facts()["is_stored"], bare.facts()["model_version"]) == ("none", False, "2")


def test_a_replayed_event_goes_by_its_arrival() -> None:
    """An event time that no spool explains is not when the model answered."""
    assert served_at(PLACE) == NOON
    assert served_at({**PLACE, "ts": NOON - timedelta(days=8)}) == PLACE["arrived"]


def governed() -> Book:
    """A log whose record 7 says that version 2 was promoted by Ann, with Bob's approval."""
    book = filled(7)
    state = ServingState(
        deployment="churn", revision=2, audit_seq=7, decided_at_ms=1, tier="high", champion=model("2")
    )
    detail = {"state": state.to_bytes().decode()}
    book.decide(command("promote", model=model("2")), "ann", approvers=("bob",), detail=detail)
    book.checkpoint()
    return book


def row_of(book: Book, seq: int = 7, **over: Any) -> dict[str, Any]:
    """The archive's row of a record, as it is written there and read; arguments replace columns."""
    table = audit_rows([line_of(book.records[seq])], [seq], [0])
    return {**table.to_pylist()[0], **over}


def proved(book: Book, *rows: dict[str, Any] | None, **over: Any) -> dict[int, dict[str, Any]]:
    """Prove, by a log in memory, rows that the archive names for a prediction of long after it."""
    late = datetime(2100, 1, 1, tzinfo=UTC)
    place = {**PLACE, "ts": late, "arrived": late, **over}
    return included(book.pins.genesis, lambda: iter(book.records), book.notes, [(place, row) for row in rows])


def test_a_record_is_proved_by_the_whole_audit() -> None:
    """It lies in the checkpoint that a witness signed, and the archive says of it what it says."""
    book = governed()
    assert proved(book, row_of(book), row_of(book)) == {
        7: {"seq": 7, "size": 8, "witnesses": ["witness.example/1"]}
    }


@pytest.mark.parametrize("column", ["digest", "record"])
def test_a_copy_that_differs_is_found(column: str) -> None:
    """ClickHouse is a view: whoever writes there changes nothing that is proved."""
    book = governed()
    other = {"digest": digest(b"another"), "record": b"another"}[column]
    with pytest.raises(TraceError, match="archive's copy of record 7"):
        proved(book, row_of(book, **{column: other}))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("event", "waits"),
        ("op", "create"),
        ("actor", "vera"),
        ("approvers", ["bob", "cat"]),
        ("deployment", "fraud"),
        ("model", "chorn"),
        ("model_version", "3"),
        ("manifest", "ab" * 32),
        ("decided_at", NOON),
    ],
)
def test_a_column_that_differs_from_the_record_is_named(column: str, value: object) -> None:
    """A row of true digest and true bytes, in which another stands beside them, is refused."""
    book = governed()
    with pytest.raises(TraceError, match=f"the archive says of record 7 that its {column} is"):
        proved(book, row_of(book, **{column: value}))


def test_a_row_that_borrows_another_record_is_refused() -> None:
    """Place, digest and bytes of any record lend no truth to what is invented beside them."""
    book = governed()
    borrowed = {name: row_of(book, 3)[name] for name in ("seq", "digest", "record")}
    with pytest.raises(
        TraceError, match=r"says that record 3 put version 2 of churn there, .* says record 7"
    ):
        proved(book, {**row_of(book), **borrowed})


@pytest.mark.parametrize(
    ("seq", "over", "said"),
    [
        (3, {}, "record 3 put version 2 of churn there, and the audit says record 7"),
        (None, {}, "no record put version 2 of churn there, and the audit says record 7"),
        (7, {"model_version": "9"}, "record 7 put version 9 of churn there, and the audit says no record"),
        (7, {"slot": "canary"}, "record 7 put version 2 of churn there, and the audit says no record"),
        (7, {"ts": datetime(2000, 1, 1, tzinfo=UTC)}, "and the audit says no record"),
    ],
)
def test_a_true_record_that_put_nothing_there_proves_nothing(
    seq: int | None, over: dict[str, Any], said: str
) -> None:
    """Which record it was is found in the audit itself: no cell of ClickHouse leads to other people."""
    book = governed()
    if "ts" in over:
        over["arrived"] = over["ts"]
    with pytest.raises(TraceError, match=said):
        proved(book, None if seq is None else row_of(book, seq), **over)


def test_nothing_is_proved_of_names_that_nobody_signed() -> None:
    """An audit, below a checkpoint, in which a record names another than who signed is a fault of the whole."""
    book = governed()
    book.decide(command("promote", model=model("2")), "ann", actor="bob")
    book.checkpoint()
    with pytest.raises(TraceError, match="nothing of this audit is proved: record 8"):
        proved(book, row_of(book))


def test_nothing_is_proved_of_an_audit_that_was_changed() -> None:
    """An edited record is a fault of the whole."""
    book = governed()
    row = row_of(book)
    book.records[3] = book.records[3].replace(b"number 3", b"number 4")
    with pytest.raises(TraceError, match="nothing of this audit is proved"):
        proved(book, row)


def test_nothing_is_proved_without_a_checkpoint() -> None:
    """The log must have signed what the record is held against."""
    book = governed()
    book.notes.clear()
    with pytest.raises(TraceError, match="no checkpoint yet"):
        proved(book, row_of(book))


def test_the_id_of_a_request_of_several_rows_leads_to_those_of_its_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing was predicted under the request's own id; whoever gives it is told which ids there are."""
    rows = ids_named("m1/0")
    monkeypatch.setattr(
        module.trace_reads, "lineage", lambda _client, ids, _deployment: [PLACE] if ids == rows else []
    )
    with pytest.raises(
        TraceError, match=r"'m1', which is that of a request of several rows: .* from 'm1/0' on"
    ):
        module.traced(Settings(), "m1", None)
    with pytest.raises(TraceError, match="no prediction has the id 'm2': see"):
        module.traced(Settings(), "m2", None)
