"""The demo's receiver: only what is signed with its secret counts, each edge once, and Alertmanager is heard."""

from __future__ import annotations

import time
from http.client import HTTPConnection
from urllib.parse import urlsplit

import msgspec
import pytest

from driftline.deploy.demo.receiver import DIRECT, PASSED_ON, Heard, is_genuine, receiving
from driftline.schemas.alert import Alert
from driftline.streams.alerts.webhook import body, headers, signature

SECRET = b"a secret of the demo and of its receiver"
EDGE = Alert(
    id="aa-1", alert_id="aa", ordinal=1, deployment="flights", rule="windows", about="drift", name="temp",
    state="firing", severity="fail", importance="high", priority=2, reason="psi", since_ms=1, made_at_ms=2,
)  # fmt: skip
NOW_S = 1_700_000_000


def told(heard: Heard, *, secret: bytes = SECRET, at_s: int = NOW_S) -> int:
    """Send the edge as the alerts worker does."""
    content = body(EDGE)
    return heard.take(DIRECT, headers(EDGE.id, content, secret, at_s), content, SECRET, NOW_S)


def test_an_edge_is_taken_once() -> None:
    """A signed edge is kept under its key; the same key again is counted, and answered as before."""
    heard = Heard()
    assert [told(heard), told(heard)] == [200, 200]
    assert heard.edges == {"aa-1": EDGE}
    assert (heard.repeats, heard.forged) == (1, 0)


def test_advice_is_taken_and_is_no_edge() -> None:
    """What a webhook tells of advice is answered with yes, and counts as no edge of an alert."""
    heard = Heard()
    content = b'{"kind": "advice", "id": "bb-1", "advice": "retrain"}'
    assert heard.take(DIRECT, headers(EDGE.id, content, SECRET, NOW_S), content, SECRET, NOW_S) == 200
    assert (heard.edges, heard.repeats) == ({}, 0)


@pytest.mark.parametrize(
    ("secret", "at_s"), [(b"another secret", NOW_S), (SECRET, NOW_S - 301), (b"", NOW_S)]
)
def test_what_is_not_signed_is_refused(secret: bytes, at_s: int) -> None:
    """A wrong secret, a signature of five minutes ago and none at all are refused, and counted."""
    heard = Heard()
    assert told(heard, secret=secret, at_s=at_s) == 401
    assert (heard.edges, heard.forged) == ({}, 1)


@pytest.mark.parametrize("header", ["", "t=x,v1=y", "v1=00", "t=1700000000", "rubbish", "t=,v1=é"])
def test_a_header_that_is_none_is_not_genuine(header: str) -> None:
    """Rubbish in the place of a signature is an answer, never an exception."""
    assert not is_genuine(header, b"{}", SECRET, NOW_S)
    assert is_genuine(f"t={NOW_S},v1={signature(b'{}', SECRET, NOW_S)}", b"{}", SECRET, NOW_S)


@pytest.mark.parametrize(
    ("path", "content", "status"),
    [
        (PASSED_ON, b'{"alerts": [{"labels": {"alert_id": "aa"}, "status": "firing"}]}', 200),
        (PASSED_ON, b"{}", 400),
        (PASSED_ON, b"[1]", 400),
        (PASSED_ON, b"not json", 400),
        ("/elsewhere", b"{}", 404),
    ],
)
def test_what_alertmanager_passes_on_is_heard(path: str, content: bytes, status: int) -> None:
    """Its words are taken as they come; what is not in its form is refused."""
    heard = Heard()
    assert heard.take(path, {}, content, SECRET, NOW_S) == status
    assert heard.passed_on == ({("aa", "firing")} if status == 200 else set())


def test_the_server_answers_and_is_bounded() -> None:
    """Over a real socket an edge is taken; a body without a length, or too long a one, is refused unread."""
    content = body(EDGE)
    with receiving(SECRET) as (address, heard):
        place = urlsplit(address)
        statuses = []
        for given in ({}, {"Content-Length": str(1 << 30)}, {"Content-Length": "x"}):
            connection = HTTPConnection(place.hostname or "", place.port, timeout=5)
            connection.putrequest("POST", DIRECT)
            for name, value in given.items():
                connection.putheader(name, value)
            connection.endheaders()
            statuses.append(connection.getresponse().status)
            connection.close()
        connection = HTTPConnection(place.hostname or "", place.port, timeout=5)
        connection.request("POST", DIRECT, content, headers(EDGE.id, content, SECRET, int(time.time())))
        statuses.append(connection.getresponse().status)
        connection.close()
    assert statuses == [400, 413, 400, 200]
    assert [msgspec.json.encode(one) for one in heard.edges.values()] == [content]
