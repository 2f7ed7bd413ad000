"""Requests of many rows: bounded, and recorded in pieces between which others are answered."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from served import Kept, agent, loaded, request, running

from driftline.agents.serving import pieces, recording
from driftline.agents.serving.call import Call, Request
from driftline.agents.serving.lease import Deployment
from driftline.agents.serving.recording import Recorder
from driftline.agents.serving.slots import Loaded, Slots
from driftline.agents.serving.v2 import Ask

KEY = ("churn", "1", "champion")
ROWS = 11
"""Of a call in pieces of two: the last one has a single row."""


@pytest.fixture
def cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pieces have two rows."""
    monkeypatch.setattr(pieces, "PIECE_ROWS", 2)
    monkeypatch.setattr(recording, "PIECE_ROWS", 2)


def call(asked: Loaded, rows: int = ROWS) -> tuple[Call, dict[str, Any]]:
    """Return a call whose values count up, and its outputs."""
    count = np.arange(rows, dtype=np.float32)
    inputs = {"X": np.stack([count, -count, count * 2], axis=1)}
    one = Request(Ask("", inputs), "many", b"o" * 16, "k")
    return Call(Deployment("churn"), asked, "champion", one, rows, 7_000), {"p": count.reshape(-1, 1) / 8}


def recorder(kept: Kept) -> Recorder:
    """Return one that loses no row."""
    return Recorder(kept.make, lambda _name, _rows: pytest.fail("a row was lost"))


@pytest.mark.parametrize("status", ["ok", ["ok", "error"] * (ROWS // 2) + ["ok"], "timeout"])
@pytest.mark.usefixtures("cut")
def test_pieces_tell_what_the_whole_does(monkeypatch: pytest.MonkeyPatch, status: Any) -> None:
    """The same rows in the same order with the same ids, though the model answers into its arrays again meanwhile."""

    async def told(*, whole: bool) -> list[dict[str, Any]]:
        if whole:
            monkeypatch.setattr(recording, "PIECE_ROWS", ROWS)
        kept, asked = Kept(), loaded()
        made, outputs = call(asked)
        to = recorder(kept)
        to.record(KEY, made, None if status == "timeout" else outputs, 0.002, status)
        for array in (*made.request.ask.inputs.values(), *outputs.values()):
            array[:] = 99
        await to.caught_up()
        to.flush()
        return kept.rows

    parts = asyncio.run(told(whole=False))
    assert [one["id"] for one in parts] == [f"many/{row}" for row in range(ROWS)]
    assert str(parts) == str(asyncio.run(told(whole=True)))


@pytest.mark.usefixtures("cut")
def test_the_loop_goes_on_between_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each time that it comes round one piece is told, those of the call that came first before all others."""
    monkeypatch.setattr(recording, "MOST_ROWS", 1)

    async def whole() -> None:
        kept, asked = Kept(), loaded()
        to = recorder(kept)
        for rows in (4, 3):
            to.record(KEY, *call(asked, rows), 0.0, "ok")
        counts = []
        for _ in range(6):
            counts.append(len(kept.rows))
            await asyncio.sleep(0)
        assert counts == [0, 2, 4, 6, 7, 7]

    asyncio.run(whole())


@pytest.mark.usefixtures("cut")
def test_what_waits_in_pieces_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound the oldest call is told in one go, so that none is lost and the copies take no more memory."""
    monkeypatch.setattr(recording, "MOST_ROWS", 1)
    asked = loaded()
    made, outputs = call(asked)
    one = pieces.Pieces(KEY, made, outputs, 0.0, "ok").size_bytes
    assert one == ROWS * 4 * 4
    monkeypatch.setattr(pieces, "MOST_BYTES", 2 * one)

    async def whole() -> None:
        kept = Kept()
        to = recorder(kept)
        for _ in range(2):
            to.record(KEY, made, outputs, 0.0, "ok")
        assert kept.rows == []
        to.record(KEY, made, outputs, 0.0, "ok")
        assert len(kept.rows) == ROWS
        await to.caught_up()
        assert len(kept.rows) == 3 * ROWS

    asyncio.run(whole())


@pytest.mark.usefixtures("cut")
def test_an_emitter_whose_rows_wait_is_not_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of a version that serves no more is given to be closed once the pieces of its calls are told."""
    monkeypatch.setattr(recording, "MOST_ROWS", 1)

    async def whole() -> None:
        kept = Kept()
        to = recorder(kept)
        to.record(KEY, *call(loaded()), 0.0, "ok")
        await asyncio.sleep(0)
        assert to.idle(set()) == []
        await to.caught_up()
        assert len(to.idle(set())) == 1

    asyncio.run(whole())


def test_more_rows_than_a_request_may_have_are_refused(tmp_path: Path) -> None:
    """With 413, before a version is asked, and without an event; as many as it may have are answered."""
    asked: list[int] = []

    def ones(inputs: Mapping[str, Any]) -> dict[str, Any]:
        asked.append(len(inputs["X"]))
        return {"p": np.ones((len(inputs["X"]), 1), np.float32)}

    async def whole() -> None:
        kept = Kept()
        made = agent(tmp_path, kept=kept, request_rows=10)
        made.swapper("churn").deployment.switch(Slots(champion=loaded("1", ones)))
        async with running(made) as port, aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{port}/v2/models/churn/infer"
            for rows, status in ((10, 200), (11, 413), (10, 200), (11, 413)):
                async with session.post(url, data=request(rows)) as answer:
                    assert answer.status == status
                    told = await answer.json()
            assert told == {"error": "the request has 11 rows; 10 are allowed"}
        assert asked == [10, 10]
        assert len(kept.rows) == 20

    asyncio.run(whole())


@pytest.mark.parametrize("slot", ["champion", "canary"])
def test_many_rows_are_answered_once_they_are_recorded(tmp_path: Path, slot: str) -> None:
    """Whoever sends them one after another has no more of them waiting than requests under way."""
    rows = 2 * pieces.PIECE_ROWS + 1

    async def whole() -> None:
        kept = Kept()
        made = agent(tmp_path, kept=kept)
        canary = {"canary": loaded("2"), "rollout_id": "r", "weight": 10_000} if slot == "canary" else {}
        made.swapper("churn").deployment.switch(Slots(champion=loaded("1"), **canary))  # type: ignore[arg-type]
        async with running(made) as port, aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{port}/v2/models/churn/infer"
            for times in (1, 2):
                async with session.post(url, data=request(rows)) as answer:
                    assert answer.status == 200
                made.recorder.flush()
                assert len(kept.rows) == times * rows
        assert {one["key"][2] for one in kept.rows} == {slot}

    asyncio.run(whole())
