"""Answering: one request, from its tensors to those of the version that answers; canary and shadows beside.

A canary that raises or is too slow costs the caller nothing but time: the champion answers in the same request.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from driftline.agents.serving.bounds import ON_LOOP_BYTES, Bounds
from driftline.agents.serving.call import Call, Outputs, Request
from driftline.agents.serving.errors import (
    BAD_GATEWAY,
    FAILED,
    NOT_FOUND,
    TOO_MANY,
    TOO_SLOW,
    UNAVAILABLE,
    AnswerError,
    bad_request,
    too_many_rows,
)
from driftline.agents.serving.package.errors import InputError, said
from driftline.agents.serving.pieces import PIECE_ROWS
from driftline.agents.serving.pool import NeverBegunError, NoThreadError, Pool, PoolFullError
from driftline.agents.serving.pools import Pools
from driftline.agents.serving.slots import CANARY, CHAMPION, SHADOW, Slot
from driftline.agents.serving.worth import ERROR, OK

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from driftline.agents.serving.lease import Deployment
    from driftline.agents.serving.metrics import ServingMetrics
    from driftline.agents.serving.recording import Recorder
    from driftline.agents.serving.slots import Loaded
    from driftline.agents.serving.worth import Status


class Answerer:
    """Asks versions.

    Args:
        recorder: is told of every call.
        metrics: counts them.
        bounds: of time and of what waits.
        now_ms: the clock, ms since 1970.
    """

    def __init__(
        self, recorder: Recorder, metrics: ServingMetrics, bounds: Bounds, now_ms: Callable[[], int]
    ) -> None:
        self._recorder, self._metrics, self._bounds, self._now_ms = recorder, metrics, bounds, now_ms
        self._pools: Final[Mapping[Slot, Pools]] = {
            CHAMPION: Pools(CHAMPION, bounds.threads, bounds.waiting, metrics),
            CANARY: Pools(CANARY, bounds.threads, bounds.threads, metrics),  # more would time out
            SHADOW: Pools(SHADOW, bounds.threads, bounds.shadow_waiting, metrics),
        }
        self._shadow_bytes, self.most_rows = 0, bounds.rows

    @property
    def under_way(self) -> int:
        """Calls that callers wait for."""
        return self._pools[CHAMPION].under_way + self._pools[CANARY].under_way

    @property
    def hung(self) -> int:
        """Calls that were given up, and hold a thread."""
        return sum(one.hung for one in self._pools.values())

    async def answer(self, deployment: Deployment, request: Request) -> tuple[Loaded, Outputs]:
        """Answer a request.

        Raises:
            AnswerError: nothing answers, the tensors are others, too many wait, or the model fails.
        """
        slots = deployment.slots
        champion = champion_of(deployment, request.version)
        rows = self._rows(champion, request)
        pinned = request.version is not None or deployment.canary_closed
        canary = None if pinned else slots.canary_for(request.key)
        if canary is not None:
            outputs = await self._ask_canary(self._call(deployment, canary, CANARY, request, rows))
            if outputs is not None:
                self._ask_shadows(deployment, request, rows)
                if rows > PIECE_ROWS:
                    await self._recorder.caught_up()
                return canary, outputs
            # Perhaps it was swapped meanwhile, for one that takes other tensors.
            champion = champion_of(deployment, request.version)
            rows = self._rows(champion, request)
        call = self._call(deployment, champion, CHAMPION, request, rows)
        # Beside a canary it is asked as that is, in a thread: what threads cost would else pass for a slow canary.
        is_tried = slots.weight > 0 and not deployment.canary_closed
        # Pace counts rows: what is large takes long, however few they are.
        is_small = request.size_bytes <= ON_LOOP_BYTES
        here = is_small and not is_tried and self._is_quick(champion, rows)
        outputs = self._ask_here(call) if here else await self._ask_champion(call)
        self._ask_shadows(deployment, request, rows)
        if rows > PIECE_ROWS:
            await self._recorder.caught_up()
        return champion, outputs

    def at_once(self, deployment: Deployment) -> Loaded | None:
        """The champion, when it answers a request of one row without anybody's waiting, and no canary might."""
        slots = deployment.slots
        found = slots.answering
        if (
            found is None
            or deployment.suspended is not None
            or found.is_large
            or not self._is_quick(found, 1)
        ):
            return None
        return None if slots.weight and not deployment.canary_closed else found

    def answer_at_once(self, deployment: Deployment, champion: Loaded, request: Request) -> Outputs | None:
        """Answer as `answer` does, by what `at_once` gave; None when the rows are too many for that."""
        if request.version is not None:
            champion_of(deployment, request.version)
        rows = self._rows(champion, request)
        if rows > PIECE_ROWS or (rows > 1 and not self._is_quick(champion, rows)):
            return None
        outputs = self._ask_here(self._call(deployment, champion, CHAMPION, request, rows))
        if deployment.slots.shadows:
            self._ask_shadows(deployment, request, rows)
        return outputs

    def close(self) -> None:
        """Let the threads end."""
        for pool in self._pools.values():
            pool.close()

    def _is_quick(self, loaded: Loaded, rows: int) -> bool:
        # A server behind the agent answers over a network, whose silence the loop must not wait for.
        return loaded.is_verified and loaded.pace.is_within(rows, self._bounds.inline_s)

    def _rows(self, loaded: Loaded, request: Request) -> int:
        """How many rows are asked; raises AnswerError for what no version of the deployment could answer."""
        try:
            rows = loaded.takes.rows(request.ask.inputs)
        except InputError as error:
            raise bad_request(str(error)) from error
        if rows > self.most_rows:
            raise too_many_rows(rows, self.most_rows)
        wrong = loaded.worth.unaskable(request.ask)
        if wrong:
            raise bad_request(wrong)
        at_ms = request.ask.at_ms
        # The window of what has not happened yet would close those of today.
        if at_ms is not None and at_ms > self._now_ms() + self._bounds.future_ms:
            raise bad_request(f"the event time lies {at_ms - self._now_ms():,} ms ahead")
        return rows

    def _call(self, deployment: Deployment, loaded: Loaded, slot: Slot, request: Request, rows: int) -> Call:
        at_ms = request.ask.at_ms
        return Call(deployment, loaded, slot, request, rows, self._now_ms() if at_ms is None else at_ms)

    async def _ask_champion(self, call: Call) -> Outputs:
        limit_s, pool = self._bounds.request_s, self._pools[CHAMPION].of(call.deployment.name)
        try:
            outputs, seconds = await pool.submit(call.in_thread, call.lease(), limit_s)
        except NoThreadError:
            sentence = (
                f"{call.deployment.name} has no thread, and none can be started: let the agent have more"
            )
            raise AnswerError(UNAVAILABLE, sentence, retry_after_s=1) from None
        except PoolFullError:
            raise _full(call.deployment.name, pool) from None
        except TimeoutError as error:
            if not isinstance(error, NeverBegunError):
                call.loaded.pace.took(limit_s, call.rows)
            self._tell(call, None, limit_s, "timeout")
            sentence = f"version {call.loaded.version} did not answer within {limit_s:g} s"
            raise AnswerError(TOO_SLOW, sentence) from None
        except Exception as error:
            raise self._failed(call, error) from error
        self._answered(call, outputs, seconds)
        found: Outputs = outputs
        return found

    def _ask_here(self, call: Call) -> Outputs:
        """Ask a quick champion here: a thread would cost more than the call, and nothing else waits long.

        No lease is needed: nothing is swapped before this returns.
        """
        began_s, pace = time.perf_counter(), call.loaded.pace
        try:
            outputs = call()
        except BaseException as error:
            pace.took(time.perf_counter() - began_s, call.rows, is_here=True, has_failed=True)
            raise self._failed(call, error) from error
        seconds = time.perf_counter() - began_s
        pace.took(seconds, call.rows, is_here=True)
        self._answered(call, outputs, seconds)
        return outputs

    def _failed(self, call: Call, error: BaseException) -> AnswerError:
        self._tell(call, None, 0.0, "error")
        status = FAILED if call.loaded.is_verified else BAD_GATEWAY  # whose fault it is, behind an upstream
        return AnswerError(status, f"version {call.loaded.version} failed: {said(error)}")

    async def _ask_canary(self, call: Call) -> Outputs | None:
        """Ask a canary; None when the champion has to answer. That nobody asked it says nothing of it."""
        outputs: Outputs
        deployment, loaded = call.deployment, call.loaded
        seconds, status = self._bounds.canary_s, "timeout"
        try:
            pool = self._pools[CANARY].of(deployment.name)
            outputs, seconds = await pool.submit(call.in_thread, call.lease(), seconds)
        except (PoolFullError, NeverBegunError):
            self._metrics.fallbacks.inc((deployment.name,))
            return None
        except TimeoutError:
            pass
        except Exception:  # noqa: BLE001 - whatever the canary raises, the champion answers
            seconds, status = 0.0, "error"
        else:
            self._answered(call, outputs, seconds)
            if deployment.slots.canary is loaded:
                deployment.canary_answered()
            return outputs
        self._tell(call, None, seconds, status)
        self._metrics.fallbacks.inc((deployment.name,))
        if deployment.slots.canary is loaded:
            deployment.canary_failed(self._bounds.canary_failures)
        return None

    def _ask_shadows(self, deployment: Deployment, request: Request, rows: int) -> None:
        """Let the shadows be asked, when there is room; nobody waits for them."""
        for loaded in deployment.slots.shadows:
            call = self._call(deployment, loaded, SHADOW, request, rows)
            try:
                future = self._submitted(call)
            except PoolFullError:
                self._metrics.shadow_dropped.labels(deployment.name, loaded.version).inc()
                continue
            self._shadow_bytes += request.size_bytes
            future.add_done_callback(partial(self._shadow_answered, call))

    def _submitted(self, call: Call) -> asyncio.Future[tuple[Any, float]]:
        if self._shadow_bytes + call.request.size_bytes > self._bounds.shadow_bytes:
            raise PoolFullError
        pool = self._pools[SHADOW].of(call.deployment.name)
        return pool.submit(call.in_thread, call.lease(), self._bounds.request_s)

    def _shadow_answered(self, call: Call, future: asyncio.Future[tuple[Any, float]]) -> None:
        self._shadow_bytes -= call.request.size_bytes
        if future.cancelled():
            return
        error = future.exception()
        if isinstance(error, NeverBegunError):
            self._metrics.shadow_dropped.labels(call.deployment.name, call.loaded.version).inc()
            return
        if error is not None:
            is_late = isinstance(error, TimeoutError)
            seconds, status = (self._bounds.request_s, "timeout") if is_late else (0.0, "error")
            self._tell(call, None, seconds, status)
            return
        outputs, seconds = future.result()
        self._answered(call, outputs, seconds)

    def _answered(self, call: Call, outputs: Outputs, seconds: float) -> None:
        """Tell of what a model answered; what its caller cannot be sent is an error, of a shadow too."""
        self._tell(call, None if call.status == ERROR else outputs, seconds, call.status)

    def _tell(self, call: Call, outputs: Outputs | None, seconds: float, status: Status) -> None:
        """Count and record a call; one of which some rows are an answer is counted as one."""
        key = (call.deployment.name, call.loaded.version, call.slot)
        self._metrics.calls.inc((*key, status if isinstance(status, str) else OK))
        if outputs is not None:
            self._metrics.call_seconds.observe(key, seconds)
        if call.rows:
            self._recorder.record(key, call, outputs, seconds, status)


def _full(deployment: str, pool: Pool) -> AnswerError:
    if pool.is_stuck:
        sentence = (
            f"{pool.hung} calls of {deployment} hang and hold all threads that it may have: restart the agent"
        )
        return AnswerError(UNAVAILABLE, sentence, retry_after_s=30)
    return AnswerError(TOO_MANY, f"{deployment} has as many requests waiting as it may", retry_after_s=1)


def champion_of(deployment: Deployment, version: str | None) -> Loaded:
    """The version that answers callers of no canary; raises AnswerError when none does, or another than is asked."""
    slots = deployment.slots
    found = slots.answering
    if found is None or deployment.suspended is not None:
        why = deployment.suspended or slots.halted or "no champion of it is in memory yet"
        raise AnswerError(UNAVAILABLE, f"{deployment.name} serves nothing: {why}", retry_after_s=30)
    if version is not None and found.version != version:
        raise AnswerError(
            NOT_FOUND, f"version {version[:100]!r} of {deployment.name} does not answer; {found.version} does"
        )
    return found
