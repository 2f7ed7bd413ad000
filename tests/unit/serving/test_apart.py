"""Deployments of one agent are apart: calls that hang or wait take nothing from others, nor from what follows them."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
from served import Kept, agent, constant, loaded, request, running, until

from driftline.agents.serving.agent import Agent
from driftline.agents.serving.pool import MOST_HUNG
from driftline.agents.serving.slots import Slots

Ask = Callable[..., Awaitable[tuple[int, dict[str, Any]]]]


@contextmanager
def hanging() -> Iterator[Callable[[Mapping[str, Any]], dict[str, Any]]]:
    """Give a model that hangs on a request of two rows until the block ends, and answers any other."""
    go_on = threading.Event()

    def hang(inputs: Mapping[str, Any]) -> dict[str, Any]:
        if len(inputs["X"]) == 2:
            go_on.wait(60)
        return {"p": np.ones((len(inputs["X"]), 1), np.float32)}

    try:
        yield hang
    finally:
        go_on.set()


def run(make: Callable[[], Agent], whole: Callable[[Agent, Ask], Awaitable[None]]) -> None:
    """Run a test with an agent of two deployments."""

    async def bounded() -> None:
        made = make()
        for name in ("one", "two"):
            made.swapper(name)
        async with asyncio.timeout(60), running(made) as port, aiohttp.ClientSession() as session:

            async def ask(name: str, rows: int = 1, spaces: int = 0) -> tuple[int, dict[str, Any]]:
                url = f"http://127.0.0.1:{port}/v2/models/{name}/infer"
                async with session.post(url, data=request(rows) + b" " * spaces) as answer:
                    return answer.status, json.loads(await answer.read())

            await whole(made, ask)

    asyncio.run(bounded())


def test_a_canary_that_hangs_closes_no_other(tmp_path: Path) -> None:
    """Neither that of another deployment nor the next one of its own: each is asked, and what was not has no event."""
    kept = Kept()

    async def whole(made: Agent, ask: Ask) -> None:
        one, two = made.swapper("one").deployment, made.swapper("two").deployment
        with hanging() as hang:
            one.switch(Slots(champion=loaded("1"), canary=loaded("2", hang), rollout_id="r", weight=10_000))
            two.switch(Slots(champion=loaded("1"), canary=loaded("5"), rollout_id="s", weight=10_000))
            answers = await asyncio.gather(*(ask("one", 2) for _ in range(12)))
            assert {(status, told["model_version"]) for status, told in answers} == {(200, "1")}
            one.switch(Slots(champion=loaded("1"), canary=loaded("3"), rollout_id="t", weight=10_000))
            for _ in range(6):
                assert (await ask("two"))[1]["model_version"] == "5"
                assert (await ask("one"))[1]["model_version"] == "3"
            assert not one.canary_closed
            hung = {tuple(one.labels.values()): one.value for one in made.metrics.hung.collect()[0].samples}
            assert hung[("one", "canary")] >= 4
            assert hung[("two", "canary")] == 0
        made.recorder.flush()
        assert {what: count for what, count in kept.counts.items() if what[0] in ("3", "5")} == {
            ("3", "ok"): 6,
            ("5", "ok"): 6,
        }

    run(lambda: agent(tmp_path, kept=kept, canary_seconds=0.2), whole)


def test_a_canary_that_nobody_asked_has_not_failed(tmp_path: Path) -> None:
    """What found no thread is answered by the champion: no event of the canary, and its slot stays open."""
    kept, go_on = Kept(), threading.Event()

    def slow(inputs: Mapping[str, Any]) -> dict[str, Any]:
        go_on.wait(30)
        return constant(2.0)(inputs)

    async def whole(made: Agent, ask: Ask) -> None:
        one = made.swapper("one").deployment
        one.switch(Slots(champion=loaded("1"), canary=loaded("2", slow), rollout_id="r", weight=10_000))
        asked = [asyncio.create_task(ask("one")) for _ in range(10)]
        await until(lambda: sum(task.done() for task in asked) == 8)
        assert {task.result()[1]["model_version"] for task in asked if task.done()} == {"1"}
        assert not one.canary_closed
        go_on.set()
        await asyncio.gather(*asked)
        made.recorder.flush()
        assert kept.counts == {("1", "ok"): 8, ("2", "ok"): 2}
        assert made.metrics.fallbacks.value("one") == 8

    run(lambda: agent(tmp_path, kept=kept, threads=1, canary_seconds=30.0), whole)


def test_champions_that_hang_leave_the_others_and_the_way_back(tmp_path: Path) -> None:
    """More calls than there are threads hang: another deployment answers, as does the version that is gone back to."""

    async def whole(made: Agent, ask: Ask) -> None:
        one, two = made.swapper("one").deployment, made.swapper("two").deployment
        with hanging() as hang:
            one.switch(Slots(champion=loaded("1", hang)))
            two.switch(Slots(champion=loaded("1")))
            statuses = [status for status, _ in await asyncio.gather(*(ask("one", 2) for _ in range(5)))]
            assert statuses == [504] * 5
            assert (await ask("two"))[0] == 200
            one.switch(Slots(champion=loaded("2")))
            assert (await ask("one"))[1]["model_version"] == "2"

    run(lambda: agent(tmp_path, threads=2, waiting=3, request_seconds=0.2, inline_seconds=0.0), whole)


def test_a_deployment_all_of_whose_threads_hang_says_so(tmp_path: Path) -> None:
    """At once, as 503, and the others answer; nobody is told that requests wait."""

    async def whole(made: Agent, ask: Ask) -> None:
        one, two = made.swapper("one").deployment, made.swapper("two").deployment
        with hanging() as hang:
            one.switch(Slots(champion=loaded("1", hang)))
            two.switch(Slots(champion=loaded("1")))
            for _ in range(2):
                await asyncio.gather(*(ask("one", 2) for _ in range((2 + MOST_HUNG) // 2)))
            status, told = await ask("one")
            assert (status, "hold all threads that it may have" in told["error"]) == (503, True)
            assert (await ask("two"))[0] == 200

    run(lambda: agent(tmp_path, threads=2, waiting=64, request_seconds=0.2, inline_seconds=0.0), whole)


def test_a_shadow_that_hangs_is_told_of_and_leaves_the_next_one_alone(tmp_path: Path) -> None:
    """Its time is that of a request: an event says `timeout`, and the shadow after it is asked."""
    kept = Kept()

    async def whole(made: Agent, ask: Ask) -> None:
        one = made.swapper("one").deployment
        with hanging() as hang:
            one.switch(Slots(champion=loaded("1"), shadows=(loaded("2", hang),)))
            for _ in range(3):
                assert (await ask("one", 2))[0] == 200
            await until(lambda: made.metrics.calls.value("one", "2", "shadow", "timeout") >= 1)
            one.switch(Slots(champion=loaded("1"), shadows=(loaded("3"),)))
            assert (await ask("one"))[0] == 200
            await until(lambda: made.metrics.calls.value("one", "3", "shadow", "ok") == 1)
        made.recorder.flush()
        assert kept.counts[("3", "ok")] == 1

    run(lambda: agent(tmp_path, kept=kept, threads=1, request_seconds=0.2), whole)


def test_a_stop_waits_once_for_all_calls_that_hang(tmp_path: Path) -> None:
    """Not for one deployment after another: whoever stops agents kills those that take too long."""

    async def whole() -> None:
        made = agent(tmp_path, threads=1, request_seconds=1.0, inline_seconds=0.0)
        names = [f"d{number}" for number in range(6)]
        with hanging() as hang:
            for name in names:
                made.swapper(name).deployment.switch(Slots(champion=loaded("1", hang)))
            async with running(made) as port, aiohttp.ClientSession() as session:

                async def ask(name: str) -> int:
                    url = f"http://127.0.0.1:{port}/v2/models/{name}/infer"
                    async with session.post(url, data=request(2)) as answer:
                        return answer.status

                assert await asyncio.gather(*map(ask, names)) == [504] * 6
                assert made.answerer.hung == 6
                began_s = time.monotonic()
            assert time.monotonic() - began_s < 4.0

    asyncio.run(whole())


def test_a_large_request_of_one_row_is_answered_in_a_thread(tmp_path: Path) -> None:
    """How fast a model is, is known by the row: a text of megabytes would hold up everybody."""
    on_loop: list[bool] = []

    def told(inputs: Mapping[str, Any]) -> dict[str, Any]:
        on_loop.append(threading.current_thread() is threading.main_thread())
        return constant(1.0)(inputs)

    async def whole(made: Agent, ask: Ask) -> None:
        champion = loaded("1", told)
        champion.pace.took(1e-6, 1)
        made.swapper("one").deployment.switch(Slots(champion=champion))
        assert (await ask("one"))[0] == 200
        assert (await ask("one", spaces=40_000))[0] == 200
        assert (await ask("one", spaces=70_000))[0] == 200

    run(lambda: agent(tmp_path, inline_seconds=0.001), whole)
    assert on_loop == [True, True, False]
