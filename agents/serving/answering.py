"""Answering: one request, from its tensors to those of the version that answers; canary and shadows beside.

A canary that raises or is too slow costs the caller nothing but time: the champion answers in the same request.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from driftline.agents.serving.bounds import Bounds
from driftline.agents.serving.errors import (
    FAILED,
    NOT_FOUND,
    TOO_MANY,
    TOO_SLOW,
    UNAVAILABLE,
    AnswerError,
    bad_request,
)
from driftline.agents.serving.package.errors import InputError
from driftline.agents.serving.pool import Pool, PoolFullError
from driftline.agents.serving.recording import Call
from driftline.agents.serving.slots import CANARY, CHAMPION, SHADOW, Slot

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from driftline.agents.serving.lease import Deployment, Lease
    from driftline.agents.serving.metrics import ServingMetrics
    from driftline.agents.serving.recording import Recorder
    from driftline.agents.serving.slots import Loaded
    from driftline.agents.serving.v2 import Ask

Outputs = dict[str, "NDArray[Any]"]


@dataclass(slots=True)
class Request:
    """A request as it is answered.

    Attributes:
        ask: its tensors.
        identity: its id, as the caller knows it; `own` are the 16 bytes of it where the agent made it.
        key: of the caller.
        version: the one that must answer; None takes what the slots say.
        size_bytes: of it, for what waits for shadows.
    """

    ask: Ask
    identity: str
    own: bytes | None
    key: str
    version: str | None = None
    size_bytes: int = 0


@dataclass(slots=True)
class _Question:
    """A request as one version is asked it."""

    deployment: Deployment
    loaded: Loaded
    slot: Slot
    request: Request
    rows: int
    at_ms: int

    def __call__(self) -> Outputs:
        """Ask the model; its answer is what its manifest says, or an error."""
        loaded = self.loaded
        outputs = loaded.model.predict(self.request.ask.inputs)
        found = loaded.gives.rows(outputs)
        if found != self.rows:
            raise InputError(f"it answers {found} rows where {self.rows} were asked")
        return outputs

    def in_thread(self) -> Outputs:
        """Ask from a thread, which may wait for its turn: what counts for the pace is its own processor time."""
        began_s = time.thread_time()
        outputs = self()
        self.loaded.pace.took(time.thread_time() - began_s, self.rows)
        return outputs

    def lease(self) -> Lease:
        return self.deployment.lease(self.loaded)


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
        self._pools: Final = {
            CHAMPION: Pool(CHAMPION, bounds.threads, bounds.waiting),
            CANARY: Pool(CANARY, bounds.threads, bounds.threads),
            SHADOW: Pool(SHADOW, bounds.threads, bounds.shadow_waiting),
        }
        self._shadow_bytes = 0
        for slot, pool in self._pools.items():
            metrics.queue.labels(slot).set_function(partial(getattr, pool, "waiting"))

    @property
    def under_way(self) -> int:
        """Calls that callers wait for."""
        return self._pools[CHAMPION].under_way + self._pools[CANARY].under_way

    async def answer(self, deployment: Deployment, request: Request) -> tuple[Loaded, Outputs]:
        """Answer a request.

        Raises:
            AnswerError: nothing answers, the tensors are others, too many wait, or the model fails.
        """
        slots = deployment.slots
        champion = champion_of(deployment, request.version)
        try:
            rows = champion.takes.rows(request.ask.inputs)
        except InputError as error:
            raise bad_request(str(error)) from error
        self._is_no_future(request.ask.at_ms)
        pinned = request.version is not None or deployment.canary_closed
        canary = None if pinned else slots.canary_for(request.key)
        if canary is not None:
            outputs = await self._ask_canary(self._question(deployment, canary, CANARY, request, rows))
            if outputs is not None:
                self._ask_shadows(deployment, request, rows)
                return canary, outputs
            # What answers may have been swapped meanwhile.
            champion = champion_of(deployment, request.version)
        question = self._question(deployment, champion, CHAMPION, request, rows)
        # A server behind the agent answers over a network, whose silence the loop must not wait for.
        quick = champion.is_verified and champion.pace.is_within(rows, self._bounds.inline_s)
        outputs = self._at_once(question) if quick else await self._ask_champion(question)
        if slots.shadows:
            self._ask_shadows(deployment, request, rows)
        return champion, outputs

    def close(self) -> None:
        """Let the threads end."""
        for pool in self._pools.values():
            pool.close()

    def _question(
        self, deployment: Deployment, loaded: Loaded, slot: Slot, request: Request, rows: int
    ) -> _Question:
        at_ms = request.ask.at_ms
        return _Question(deployment, loaded, slot, request, rows, self._now_ms() if at_ms is None else at_ms)

    def _is_no_future(self, at_ms: int | None) -> None:
        """Refuse what has not happened yet: its window would close those of today."""
        if at_ms is not None and at_ms > self._now_ms() + self._bounds.future_ms:
            raise bad_request(f"the event time lies {at_ms - self._now_ms():,} ms ahead")

    async def _ask_champion(self, question: _Question) -> Outputs:
        limit_s, pool = self._bounds.request_s, self._pools[CHAMPION]
        try:
            outputs, seconds = await pool.call(question.in_thread, question.lease(), limit_s)
        except PoolFullError:
            sentence = f"{question.deployment.name} has as many requests waiting as it may"
            raise AnswerError(TOO_MANY, sentence, retry_after_s=1) from None
        except TimeoutError:
            question.loaded.pace.took(limit_s, question.rows)
            self._tell(question, None, limit_s, "timeout")
            sentence = f"version {question.loaded.version} did not answer within {limit_s:g} s"
            raise AnswerError(TOO_SLOW, sentence) from None
        except Exception as error:
            raise self._failed(question, error) from error
        self._tell(question, outputs, seconds, "ok")
        found: Outputs = outputs
        return found

    def _at_once(self, question: _Question) -> Outputs:
        """Ask a quick champion here: a thread would cost more than the call, and nothing else waits long."""
        began_s = time.perf_counter()
        lease = question.lease()
        try:
            outputs = question()
        except Exception as error:
            raise self._failed(question, error) from error
        finally:
            lease.release()
        seconds = time.perf_counter() - began_s
        question.loaded.pace.took(seconds, question.rows)
        self._tell(question, outputs, seconds, "ok")
        return outputs

    def _failed(self, question: _Question, error: Exception) -> AnswerError:
        self._tell(question, None, 0.0, "error")
        return AnswerError(FAILED, f"version {question.loaded.version} failed: {_plain(error)}")

    async def _ask_canary(self, question: _Question) -> Outputs | None:
        """Ask a canary; None when the champion has to answer."""
        outputs: Outputs
        deployment, loaded = question.deployment, question.loaded
        seconds, status = self._bounds.canary_s, "timeout"
        try:
            outputs, seconds = await self._pools[CANARY].call(question.in_thread, question.lease(), seconds)
        except (TimeoutError, PoolFullError):  # the pool is full when as many of its calls hang
            pass
        except Exception:  # noqa: BLE001 - whatever the canary raises, the champion answers
            seconds, status = 0.0, "error"
        else:
            self._tell(question, outputs, seconds, "ok")
            if deployment.slots.canary is loaded:
                deployment.canary_answered()
            return outputs
        self._tell(question, None, seconds, status)
        self._metrics.fallbacks.inc((deployment.name,))
        if deployment.slots.canary is loaded and deployment.canary_failed(self._bounds.canary_failures):
            self._metrics.canary_closed.labels(deployment.name).set(1)
        return None

    def _ask_shadows(self, deployment: Deployment, request: Request, rows: int) -> None:
        """Let the shadows be asked, when there is room; nobody waits for them."""
        for loaded in deployment.slots.shadows:
            question = self._question(deployment, loaded, SHADOW, request, rows)
            try:
                future = self._submitted(question)
            except PoolFullError:
                self._metrics.shadow_dropped.labels(deployment.name, loaded.version).inc()
                continue
            self._shadow_bytes += request.size_bytes
            future.add_done_callback(partial(self._shadow_answered, question))

    def _submitted(self, question: _Question) -> asyncio.Future[tuple[Any, float]]:
        if self._shadow_bytes + question.request.size_bytes > self._bounds.shadow_bytes:
            raise PoolFullError
        return self._pools[SHADOW].submit(question.in_thread, question.lease())

    def _shadow_answered(self, question: _Question, future: asyncio.Future[tuple[Any, float]]) -> None:
        self._shadow_bytes -= question.request.size_bytes
        if future.cancelled():
            return
        if future.exception() is not None:
            self._tell(question, None, 0.0, "error")
            return
        outputs, seconds = future.result()
        self._tell(question, outputs, seconds, "ok")

    def _tell(self, question: _Question, outputs: Outputs | None, seconds: float, status: str) -> None:
        """Count and record a call."""
        loaded, request, rows = question.loaded, question.request, question.rows
        labels = (question.deployment.name, loaded.version, question.slot)
        self._metrics.calls.inc((*labels, status))
        if outputs is not None:
            self._metrics.call_seconds.observe(labels, seconds)
        if rows:
            call = Call(
                request.identity, request.own, request.ask.inputs, outputs, rows, question.at_ms,
                seconds * 1000, status,
            )  # fmt: skip
            self._recorder.record(labels, loaded, call)


def champion_of(deployment: Deployment, version: str | None) -> Loaded:
    """The version that answers callers of no canary; raises AnswerError when none does, or another than is asked."""
    slots = deployment.slots
    found = slots.answering
    if found is None or deployment.suspended is not None:
        why = deployment.suspended or slots.halted or "it has no champion yet"
        raise AnswerError(UNAVAILABLE, f"{deployment.name} serves nothing: {why}", retry_after_s=30)
    if version is not None and found.version != version:
        raise AnswerError(
            NOT_FOUND, f"version {version[:100]!r} of {deployment.name} does not answer; {found.version} does"
        )
    return found


def _plain(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
