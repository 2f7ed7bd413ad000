"""Wire: HTTP of one connection; a small POST may be answered at once, anything else takes a task as ASGI has it.

A task, its events and its messages cost more than a small model. Whoever answers at once gives no answer where it would
have to wait; then the request goes the way of all others, and nothing of it is lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from driftline.agents.serving.http import Headers

    AtOnce = Callable[[bytes, Headers, bytes], object]
    """Gives the answer to the path, headers and body of a POST in bytes; anything else goes along under `SEEN`."""

TIMES: Final = 2
"""As many connections as may be are open at most, each above one time told why; what comes then is closed at once."""
MOST_BYTES: Final = 64 * 1024
"""Of a body that is answered at once; a task's may wait for it in as much."""
MOST_HEAD_BYTES: Final = 64 * 1024
"""Of what comes between bodies: the first line and headers of a request, or what follows its last chunk."""
PIECE_BYTES: Final = 16 * 1024
"""That are parsed in one go: no request behind them is begun, or takes memory, before all in them are answered."""
WAIT_S: Final = 0.02
"""How long the rest of a body is waited for: many clients send it after the headers. Then a task waits, bounded."""
SEEN: Final = "driftline.seen"
"""In the scope: what was learnt of a request that was not answered at once."""


class _Flow(FlowControl):
    """Reads on only where that is asked first: by itself, uvicorn reads on after each answer, however many wait."""

    def __init__(self, transport: asyncio.Transport, goes_on: Callable[[], bool]) -> None:
        super().__init__(transport)
        self.goes_on = goes_on

    def resume_reading(self) -> None:
        if self.goes_on():
            super().resume_reading()


class Wire(HttpToolsProtocol):
    """One connection.

    Args:
        at_once: answers.
        most: connections, and requests, past which none is answered at once.
        given: as uvicorn makes its protocols.
    """

    def __init__(self, at_once: AtOnce, most: int, **given: Any) -> None:  # noqa: ANN401 - as uvicorn has it
        super().__init__(**given)
        self._at_once, self._most = at_once, most
        self._may = False
        """Whether a request may still be answered at once: of what came together one is, so that no pipeline holds up
        other connections."""
        self._body: bytes | None = None
        """Of a request that may be answered at once, as far as it is here; None of any other."""
        self._late: asyncio.TimerHandle | None = None
        self._loose = 0
        """Bytes that came since the last head, piece of a body or message was whole: they are kept until one is."""
        self._rest = b""
        """What came and is not parsed yet."""
        self._is_late = False
        """Whether it is about to be."""
        self._untaken = 0
        """Bytes of answers that the other side had not taken when that was looked at last; 0 once one was answered
        since: the next answer may leave as many."""
        self._quiet_s = 0.0
        """When something was answered last, or a head begun, by the loop's clock."""
        self._idle: asyncio.TimerHandle | None = None
        """Looked at when it ends: to set it anew for each request costs as much as to parse one."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Begin, and wait for a first request no longer than for a next one."""
        super().connection_made(transport)
        self.flow = self._flow = _Flow(transport, self._goes_on)
        if len(self.connections) > TIMES * self._most:
            transport.abort()
            return
        self._quiet_s = self.loop.time()
        self._idle = self.loop.call_later(self.timeout_keep_alive, self._close_if_quiet)

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        self._may = True
        self._take(self._rest + data if self._rest else data)

    def _take(self, data: bytes) -> None:
        """Parse what came a piece at a time, until requests wait for the answers to those before them."""
        self._rest = b""
        for at in range(0, len(data), PIECE_BYTES):
            if self.pipeline:
                self._rest = data[at:]
                break
            if self.transport.is_closing():
                return
            self._feed(data[at : at + PIECE_BYTES])
        if self._body is not None and self._late is None:
            self._late = self.loop.call_later(WAIT_S, self._as_late_task)

    def _feed(self, data: bytes) -> None:
        begins = not self._loose
        self._loose += len(data)
        self._parse(data)
        if self._loose > MOST_HEAD_BYTES:
            self.send_400_response(f"The headers have over {MOST_HEAD_BYTES:,} bytes.")
        elif self._loose and begins:
            self._quiet_s = self.loop.time()

    def _goes_on(self) -> bool:
        """Whether more may be read now; what is here comes first, once nothing waits that was parsed."""
        if self.pipeline:
            return False
        if self._rest and not self._is_late:
            self._is_late = True
            self.loop.call_soon(self._take_rest)
        return not self._rest

    def _take_rest(self) -> None:
        self._is_late = False
        if not self.transport.is_closing():
            self._take(self._rest)
            self.flow.resume_reading()

    def _parse(self, data: bytes) -> None:
        """Parse what came; a request that offers another protocol is read again without the offer.

        The parser leaves what follows such a head to that protocol, and none is spoken here. Java's client offers
        HTTP/2 with each first request.
        """
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as at:
                method = self.parser.get_method()
                if method == b"CONNECT":
                    break
                head = b"".join(b"%b: %b\r\n" % one for one in self.headers if one[0] != b"upgrade")
                data = b"%b %b HTTP/1.1\r\n%b\r\n%b" % (method, self.url, head, data[at.args[0] :])
                self.parser = httptools.HttpRequestParser(self)
            except httptools.HttpParserError:
                break
            else:
                return
        self.send_400_response("Invalid HTTP request received.")

    def on_message_begin(self) -> None:
        """Begin a request."""
        self.url, self.headers, self.expect_100_continue = b"", [], False

    def on_headers_complete(self) -> None:
        """Look whether a request may be answered at once."""
        parser, cycle, self._loose = self.parser, self.cycle, 0
        if parser.should_upgrade():
            return
        if (
            self._may
            and parser.get_method() == b"POST"
            and (cycle is None or cycle.response_complete)
            and parser.should_keep_alive()
            and not (self.expect_100_continue or self.flow.write_paused)
            and len(self.connections) <= self._most
            and len(self.tasks) < self._most
            and parser.get_http_version() == "1.1"
        ):
            self._may, self._body = False, b""
        else:
            self._begin_task()

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        self._loose = 0
        if self._body is None:
            super().on_body(body)
            return
        self._body += body
        if len(self._body) > MOST_BYTES:
            self._as_task()

    def on_message_complete(self) -> None:
        """Answer, or let a task do so."""
        self._loose = 0
        if self.parser.should_upgrade():
            return
        if self._body is not None:
            answer = self._at_once(self.url, self.headers, self._body)
            if type(answer) is bytes:
                self._forget()
                self.transport.write(answer)
                self.server_state.total_requests += 1
                self._quiet_s, self._untaken = self.loop.time(), 0
                return
            self._as_task(answer)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on after the answer of a task."""
        self._quiet_s, self._untaken = self.loop.time(), 0
        super().on_response_complete()
        # Nobody would end it when the next request begins: `_idle` closes what is quiet, and nothing else.
        self._unset_keepalive_if_required()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what came of a request."""
        self._forget()
        self._rest = b""
        if self._idle is not None:
            self._idle.cancel()
        super().connection_lost(exc)
        self._flow.goes_on = bool  # never; and no circle is left for somebody to find

    def shutdown(self) -> None:
        """Begin to stop: what has begun is answered."""
        if self._body is not None:
            self._as_late_task()
        super().shutdown()

    def _close_if_quiet(self) -> None:
        """Close the connection if for as long as it is kept nothing was answered, no head begun, no answer taken."""
        before, self._untaken = self._untaken, self.transport.get_write_buffer_size()
        if before and self._untaken == before:
            self.transport.abort()  # to close would wait until all is taken
            return
        is_answered = self._body is None and (self.cycle is None or self.cycle.response_complete)
        left_s = float(self.timeout_keep_alive)
        if is_answered and not self._untaken:
            left_s += self._quiet_s - self.loop.time()
        if left_s > 0:
            self._idle = self.loop.call_later(left_s, self._close_if_quiet)
        else:
            self._idle = None
            self.timeout_keep_alive_handler()

    def _forget(self) -> None:
        self._body = None
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _as_task(self, seen: object = None) -> None:
        """Let a task answer what was to be answered at once, with what is here of it."""
        body = self._body
        self._forget()
        self._begin_task(seen)
        if body:
            super().on_body(body)

    def _as_late_task(self) -> None:
        """Let a task answer while nothing is parsed: an address that is none, found only now, is told of here."""
        try:
            self._as_task()
        except (httptools.HttpParserError, UnicodeDecodeError):
            self.send_400_response("Invalid HTTP request received.")

    def _begin_task(self, seen: object = None) -> None:
        """Go the way of ASGI, which begins with the first line of a request."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers += headers
        cast("dict[str, object]", self.scope)[SEEN] = seen
        super().on_headers_complete()
