"""Anything at the doors for applications, and any bytes on a connection: an answer, and the agent goes on."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from examples import many
from hypothesis import example, given, settings
from hypothesis import strategies as st
from opened import NOW_MS, Open
from served import agent, in_background, loaded
from wired import posted

from driftline.agents.serving.agent import Agent
from driftline.agents.serving.errors import AnswerError
from driftline.agents.serving.slots import Slots

LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)
TIMES = st.sampled_from((NOW_MS, 0, -1, 1 << 63)) | VALUES
EVENTS = st.fixed_dictionaries(
    {"version": st.just("1") | VALUES, "features": st.just({"a": 1.0}) | VALUES},
    optional={"score": VALUES, "predicted": VALUES, "id": VALUES, "at": TIMES, "slot": VALUES, "zz": VALUES},
)
LABELS = st.fixed_dictionaries(
    {"id": st.text(min_size=1, max_size=5) | VALUES},
    optional={"value": VALUES, "withdrawn": st.booleans() | VALUES, "known_at": TIMES, "zz": VALUES},
)


@settings(max_examples=many(200))
@given(
    st.sampled_from(("events", "labels")),
    st.lists(
        st.binary(max_size=30) | (EVENTS | LABELS | VALUES).map(lambda one: json.dumps(one).encode()),
        max_size=6,
    ),
)
@example("events", [b"[" * 100_000])
@example("events", [b'{"\\n":1}', b'{"\\u001b[31m\\n":1}'])
@example("labels", [b'{"id": "a", "value": 1e999}', b"\xff" * 100])
def test_any_lines_are_taken_or_refused_one_by_one(door: str, lines: list[bytes]) -> None:
    """Each line is counted once, as taken or with a reason of one line; what was taken was told to an Emitter."""
    opened = Open()
    status, told = 0, {}
    with contextlib.suppress(AnswerError):  # as a whole: too many of them, or none
        status, told = opened.sends(door, *lines)
    if not status:
        assert not opened.told.logged
        assert not opened.told.labelled
        return
    given_lines = [one for line in lines for one in line.split(b"\n") if one.strip()]
    assert told["taken"] + told["refused"] == len(given_lines)
    assert (status == 200) == (told["taken"] > 0 or not given_lines)
    assert all(one["error"].isprintable() for one in told["errors"])
    assert len(opened.told.logged) + len(opened.told.labelled) == told["taken"]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Agent, int]]:
    """An agent that answers."""
    folder: Path = tmp_path_factory.mktemp("agent")
    with in_background(lambda: agent(folder)) as (made, port):
        made.swapper("churn").deployment.switch(Slots(champion=loaded("1")))
        yield made, port


PIECES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from((
        posted(), posted()[:-5], posted(b""), posted(path="%00/infer"), b"GET /v2/health/ready HTTP/1.1\r\n\r\n",
        b"GET /metrics HTTP/1.0\r\n\r\n", b"\r\n\r\n", b"content-length: -1\r\n",
        b"content-length: 99999999999999999999\r\n",
        b"transfer-encoding: chunked\r\n\r\n", b"fffffffffffffffff\r\n", b"0\r\n\r\n", b"5\r\nabc", b"upgrade: h2c\r\n",
        b"expect: 100-continue\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"POST /v1/events HTTP/1.1\r\n",
        b"\x16\x03\x01\x02",
    )),
)  # fmt: skip


@settings(max_examples=many(150), deadline=None)
@given(pieces=st.lists(PIECES, min_size=1, max_size=5), is_cut=st.booleans())
@example(pieces=[b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 20_000], is_cut=False)
@example(pieces=[posted() * 50], is_cut=True)
def test_any_bytes_on_a_connection_leave_the_agent_answering(
    served: tuple[Agent, int],
    pieces: list[bytes],
    is_cut: bool,  # noqa: FBT001 - as hypothesis gives it
) -> None:
    """What comes back is HTTP or nothing, the connection ends, and the next one is answered."""
    _, port = served
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as line,
        ends(),
    ):
        for piece in pieces:
            line.sendall(piece)
        if not is_cut:
            line.shutdown(socket.SHUT_WR)
            found = received(line)
            assert found == b"" or found.startswith(b"HTTP/1.")
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        line.sendall(posted(more="connection: close\r\n"))
        assert received(line).startswith(b"HTTP/1.1 200")


@contextlib.contextmanager
def ends() -> Iterator[None]:
    """Let the other side end the connection meanwhile; that it says nothing for ten seconds is a fault."""
    try:
        yield
    except TimeoutError:
        raise
    except OSError:
        pass


def received(line: socket.socket) -> bytes:
    """All that comes until the other side ends it."""
    found: list[Any] = []
    while piece := line.recv(65_536):
        found.append(piece)
    return b"".join(found)
