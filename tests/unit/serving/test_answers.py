"""How requests are answered: canaries that fail, shadows that lag, queues that are full, models that hang."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from served import Kept, agent, constant, loaded, request, running, until

from driftline.agents.serving.agent import Agent
from driftline.agents.serving.slots import Slots

Asked = Callable[..., Awaitable[tuple[int, dict[str, Any], Mapping[str, str]]]]


def run(make: Callable[[], Agent], whole: Callable[[Agent, Asked], Awaitable[None]]) -> None:
    """Run a test with an agent that serves."""

    async def bounded() -> None:
        made = make()
        async with asyncio.timeout(60), running(made) as port, aiohttp.ClientSession() as session:

            async def ask(body: bytes = request(), path: str = "churn/infer", **headers: str) -> Any:
                url = f"http://127.0.0.1:{port}/v2/models/{path}"
                async with session.post(url, data=body, headers=headers) as answer:
                    return answer.status, json.loads(await answer.read()), answer.headers

            await whole(made, ask)

    asyncio.run(bounded())


def failing(_inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Fail."""
    raise ValueError("its weights\nare wrong")


@pytest.mark.parametrize("inline_seconds", [0.0, 1.0])
def test_a_canary_that_raises_is_answered_by_the_champion(tmp_path: Path, inline_seconds: float) -> None:
    """In the same request, as the canary's error; after five in a row it is asked no more until the next revision."""
    kept = Kept()

    async def whole(made: Agent, ask: Asked) -> None:
        champion, canary = loaded("1"), loaded("2", failing)
        for revision, fallbacks in ((1, 5), (1, 5), (2, 10)):
            slots = Slots(revision=revision, champion=champion, canary=canary, rollout_id="r", weight=10_000)
            made.swapper("churn").deployment.switch(slots)
            for _ in range(8):
                status, told, _ = await ask()
                assert (status, told["model_version"]) == (200, "1")
            assert made.metrics.fallbacks.value("churn") == fallbacks
        made.recorder.flush()
        assert kept.counts == {("2", "error"): 10, ("1", "ok"): 24}

    run(lambda: agent(tmp_path, kept=kept, inline_seconds=inline_seconds), whole)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_canary_that_answers_no_number_is_answered_by_the_champion(tmp_path: Path, value: float) -> None:
    """Its callers would get an error, for JSON carries no NaN: it is the canary's own, and closes its slot."""
    kept = Kept()

    async def whole(made: Agent, ask: Asked) -> None:
        slots = Slots(
            champion=loaded("1"), canary=loaded("2", constant(value)), rollout_id="r", weight=10_000
        )
        made.swapper("churn").deployment.switch(slots)
        for _ in range(8):
            status, told, _ = await ask()
            assert (status, told["model_version"]) == (200, "1")
        made.recorder.flush()
        assert kept.counts == {("2", "error"): 5, ("1", "ok"): 8}

    run(lambda: agent(tmp_path, kept=kept), whole)


def test_a_canary_that_fails_now_and_then_is_asked_on(tmp_path: Path) -> None:
    """Failures close its slot only one after another: each answer of it begins the count anew."""
    calls = itertools.count()

    def mostly(inputs: Mapping[str, Any]) -> dict[str, Any]:
        return constant(2.0)(inputs) if next(calls) % 5 == 4 else failing(inputs)

    async def whole(made: Agent, ask: Asked) -> None:
        slots = Slots(champion=loaded("1"), canary=loaded("2", mostly), rollout_id="r", weight=10_000)
        made.swapper("churn").deployment.switch(slots)
        answers = [(await ask())[1]["model_version"] for _ in range(15)]
        assert answers == ["1", "1", "1", "1", "2"] * 3

    run(lambda: agent(tmp_path), whole)


def test_a_canary_that_hangs_is_answered_by_the_champion(tmp_path: Path) -> None:
    """After its time-out; calls that hang take no thread of the champion, and a swap need not wait for them."""
    go_on = threading.Event()

    def hanging(inputs: Mapping[str, Any]) -> dict[str, Any]:
        go_on.wait(30)
        return constant(2.0)(inputs)

    async def whole(made: Agent, ask: Asked) -> None:
        swapper = made.swapper("churn")
        champion = loaded("1")
        slots = Slots(champion=champion, canary=loaded("2", hanging), rollout_id="r", weight=10_000)
        swapper.deployment.switch(slots)
        answers = await asyncio.gather(*(ask() for _ in range(12)))
        assert {(status, told["model_version"]) for status, told, _ in answers} == {(200, "1")}
        swapper.deployment.switch(Slots(champion=champion))
        assert swapper.deployment.is_draining
        assert not await swapper.deployment.drained(0.01)
        assert swapper.deployment.abandon() > 0
        go_on.set()

    run(lambda: agent(tmp_path, canary_seconds=0.1), whole)


def test_callers_are_told_apart_by_header_parameter_or_id(tmp_path: Path) -> None:
    """The same key goes the same way every time, whichever way it is given."""

    async def whole(made: Agent, ask: Asked) -> None:
        slots = Slots(champion=loaded("1"), canary=loaded("2", constant(2.0)), rollout_id="r", weight=5_000)
        made.swapper("churn").deployment.switch(slots)
        for name in ("a", "b", "c", "d", "e"):
            ways = [
                await ask(**{"driftline-key": name}),
                await ask(request(parameters={"driftline_key": name})),
                await ask(request(id=name)),
            ]
            versions = {told["model_version"] for _, told, _ in ways}
            assert versions == {"2" if slots.canary_for(name) else "1"}

    run(lambda: agent(tmp_path), whole)


def test_a_shadow_is_asked_and_not_heard(tmp_path: Path) -> None:
    """Its answers are recorded as those of a shadow under the same id; when its queue is full it is not asked."""
    kept, go_on = Kept(), threading.Event()

    def slow(inputs: Mapping[str, Any]) -> dict[str, Any]:
        go_on.wait(30)
        return constant(3.0)(inputs)

    async def whole(made: Agent, ask: Asked) -> None:
        made.swapper("churn").deployment.switch(Slots(champion=loaded("1"), shadows=(loaded("3", slow),)))
        for number in range(6):
            status, told, _ = await ask(request(id=f"r{number}"))
            assert (status, told["model_version"]) == (200, "1")
        assert made.metrics.shadow_dropped.labels("churn", "3")._value.get() == 3
        go_on.set()
        await until(lambda: not made.answerer._shadow_bytes)
        made.recorder.flush()
        rows = [(row["id"], row["score"]) for row in kept.rows if row["key"] == ("churn", "3", "shadow")]
        assert sorted(rows) == [(f"r{number}", {"score": 3.0}) for number in range(3)]

    run(lambda: agent(tmp_path, kept=kept, threads=1, shadow_waiting=2), whole)


def test_what_shadows_have_to_answer_is_bounded_in_bytes_too(tmp_path: Path) -> None:
    """Large requests fill the memory sooner than the queue: past the bound a shadow is not asked, callers are."""
    go_on, asked = threading.Event(), request(rows=100)

    def slow(inputs: Mapping[str, Any]) -> dict[str, Any]:
        go_on.wait(30)
        return constant(3.0)(inputs)

    async def whole(made: Agent, ask: Asked) -> None:
        made.swapper("churn").deployment.switch(Slots(champion=loaded("1"), shadows=(loaded("3", slow),)))
        for _ in range(4):
            assert (await ask(asked))[0] == 200
        assert made.answerer._shadow_bytes == 2 * len(asked)
        assert made.metrics.shadow_dropped.labels("churn", "3")._value.get() == 2
        go_on.set()
        await until(lambda: not made.answerer._shadow_bytes)

    run(lambda: agent(tmp_path, bodies_bytes=len(asked) * 5 // 2), whole)


def test_what_waits_is_bounded_and_told(tmp_path: Path) -> None:
    """With as many requests as may wait, further ones are 429 and say when to come again; the others are answered."""
    go_on = threading.Event()

    def slow(inputs: Mapping[str, Any]) -> dict[str, Any]:
        go_on.wait(30)
        return constant(1.0)(inputs)

    async def whole(made: Agent, ask: Asked) -> None:
        made.swapper("churn").deployment.switch(Slots(champion=loaded("1", slow)))
        first = [asyncio.ensure_future(ask()) for _ in range(3)]
        await until(lambda: made.answerer.under_way == 3)
        status, told, headers = await ask()
        assert (status, headers["retry-after"]) == (429, "1")
        assert "as many requests waiting as it may" in told["error"]
        go_on.set()
        assert [status for status, _, _ in await asyncio.gather(*first)] == [200, 200, 200]

    run(lambda: agent(tmp_path, threads=1, waiting=2), whole)


def test_a_champion_that_fails_or_hangs_is_told(tmp_path: Path) -> None:
    """500 for one that raises, 504 for one that takes too long, 500 for another answer than its manifest says."""
    kept, go_on = Kept(), threading.Event()

    def hanging(inputs: Mapping[str, Any]) -> dict[str, Any]:
        go_on.wait(30)
        return constant(1.0)(inputs)

    def wrong(inputs: Mapping[str, Any]) -> dict[str, Any]:
        return {"p": constant(1.0)(inputs)["p"][:, 0]}

    async def whole(made: Agent, ask: Asked) -> None:
        deployment = made.swapper("churn").deployment
        for number, (function, status, said) in enumerate((
            (failing, 500, "version 1 failed: its weights are wrong"),
            (wrong, 500, "the output 'p' has shape [1]"),
            (hanging, 504, "did not answer within 0.1 s"),
        )):  # fmt: skip
            deployment.switch(Slots(revision=number, champion=loaded("1", function)))
            found, told, _ = await ask()
            assert (found, said in told["error"]) == (status, True), told
        go_on.set()
        made.recorder.flush()
        assert kept.counts == {("1", "error"): 2, ("1", "timeout"): 1}

    run(lambda: agent(tmp_path, kept=kept, request_seconds=0.1), whole)


def test_a_halted_deployment_says_why(tmp_path: Path) -> None:
    """503 with the reason and Retry-After, or an earlier champion answers instead."""

    async def whole(made: Agent, ask: Asked) -> None:
        deployment = made.swapper("churn").deployment
        champion, earlier = loaded("2"), loaded("1")
        deployment.switch(Slots(champion=champion, halted="halted by oli: it burns"))
        status, told, headers = await ask()
        assert (status, headers["retry-after"]) == (503, "30")
        assert told["error"] == "churn serves nothing: halted by oli: it burns"
        deployment.switch(Slots(champion=champion, instead=earlier, halted="halted by oli: it burns"))
        assert (await ask())[1]["model_version"] == "1"

    run(lambda: agent(tmp_path), whole)


@pytest.mark.parametrize("rows", [1, 3])
def test_each_row_is_an_event_under_the_id_of_the_answer(tmp_path: Path, rows: int) -> None:
    """With its features, score, status and latency; several rows are told apart by their number."""
    kept = Kept()

    async def whole(made: Agent, ask: Asked) -> None:
        made.swapper("churn").deployment.switch(Slots(champion=loaded("1")))
        _, told, _ = await ask(request(rows))
        made.recorder.flush()
        assert [row["features"] for row in kept.rows] == [{"age": 0.5, "income": 0.5, "visits": 0.5}] * rows
        assert {row["status"] for row in kept.rows} == {"ok"}
        assert all(row["latency_ms"] >= 0 for row in kept.rows)
        ids = [row["id"] for row in kept.rows]
        if rows == 1:
            assert ids[0].hex() == told["id"].replace("-", "")
        else:
            assert ids == [f"{told['id']}/{row}" for row in range(rows)]

    run(lambda: agent(tmp_path, kept=kept), whole)


def test_bodies_are_bounded_in_size_and_time(tmp_path: Path) -> None:
    """413 for one that is too large, announced or not; 408 for one that does not come; nothing of them is kept."""

    async def whole(made: Agent, ask: Asked) -> None:
        made.swapper("churn").deployment.switch(Slots(champion=loaded("1")))
        status, told, _ = await ask(io.BytesIO(b" " * (1 << 20) + request()))  # type: ignore[arg-type]
        assert (status, "are allowed" in told["error"]) == (413, True)

        async def chunks() -> Any:
            for _ in range(20):
                yield b" " * 100_000

        status, told, _ = await ask(chunks())  # type: ignore[arg-type]
        assert status == 413

        async def silence() -> Any:
            yield b"{"
            await asyncio.sleep(5)

        began_s = time.monotonic()
        status, told, _ = await ask(silence())  # type: ignore[arg-type]
        assert (status, "did not come within" in told["error"]) == (408, True)
        assert time.monotonic() - began_s < 5
        assert made.bodies.held == 0

    run(lambda: agent(tmp_path, body_bytes=1 << 20, body_seconds=0.2), whole)
