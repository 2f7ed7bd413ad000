"""What is no request: answered, its connection closed, and logged nowhere, for strangers may send it without end."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest
from served import agent
from wired import Line, run

from driftline.agents.serving.agent import Agent

HEAD = b"POST /v2/models/churn/infer HTTP/1.1\r\nhost: a\r\n"
BAD = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    b"GET http://a:99999999/ HTTP/1.1\r\nhost: a\r\n\r\n",
    b"GET /v2/\xff HTTP/1.1\r\nhost: a\r\n\r\n",
    b"CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n",
    b"POST http://a:99999999/ HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n",
    HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n",
    HEAD + b"transfer-encoding: chunked\r\ncontent-length: 3\r\n\r\n{}\n",
    HEAD + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}",
    b"GET /v2 HTTP/1.1\r\nx: " + b"a" * 70_000,
)


def test_bad_requests_are_logged_nowhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """TLS where none is spoken, addresses and lengths that are none, heads without end: 400, and not a line."""

    async def whole(_made: Agent, line: Line) -> None:
        port = line.writer.get_extra_info("peername")[1]
        caplog.clear()
        for bad in BAD:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(bad)
            answer = await reader.read()
            assert answer.startswith(b"HTTP/1.1 400 "), (bad[:80], answer)
            writer.close()
        assert [one.getMessage() for one in caplog.records] == []

    with caplog.at_level(logging.INFO):
        run(lambda: agent(tmp_path), whole)
