"""The demo's receiver of alerts: a webhook on loopback that checks every signature, and hears of Alertmanager too."""

from __future__ import annotations

import hmac
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final

import msgspec

from driftline.deploy.local.ports import LOOPBACK
from driftline.schemas.alert import Alert
from driftline.streams.alerts.webhook import KEY, SIGNATURE, signature

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DIRECT: Final = "/driftline"
"""Where the route of the webhook ends: edges, signed."""
PASSED_ON: Final = "/alertmanager"
"""Where Alertmanager's own receiver ends: what it was told, in its words."""
OLDEST_S: Final = 300
MOST_BYTES: Final = 4 << 20
MOST_EDGES: Final = 100_000
_OK, _BAD, _FORGED, _LOST, _LARGE = 200, 400, 401, 404, 413


class Kind(msgspec.Struct):
    """What a webhook tells: an edge of an alert, or a change of advice, of which the demo has its own account."""

    kind: str = "alert"


@dataclass(slots=True)
class Heard:
    """What has come.

    Attributes:
        edges: idempotency key -> edge, as the webhook got them.
        repeats: requests whose key had come before.
        forged: requests whose signature was missing, wrong or old; they were refused.
        passed_on: (name of the alert, `firing` or `resolved`), of what came through Alertmanager.
    """

    edges: dict[str, Alert] = field(default_factory=dict)
    repeats: int = 0
    forged: int = 0
    passed_on: set[tuple[str, str]] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, path: str, headers: Mapping[str, str], content: bytes, secret: bytes, now_s: float) -> int:
        """Take a request in, and give the status to answer with."""
        with self._lock:
            try:
                if path == DIRECT:
                    return self._edge(headers, content, secret, now_s)
                if path == PASSED_ON:
                    return self._from_alertmanager(content)
            except (msgspec.DecodeError, KeyError, TypeError):
                return _BAD
            return _LOST

    def _edge(self, headers: Mapping[str, str], content: bytes, secret: bytes, now_s: float) -> int:
        if not is_genuine(headers.get(SIGNATURE, ""), content, secret, now_s):
            self.forged += 1
            return _FORGED
        if msgspec.json.decode(content, type=Kind).kind == "advice":
            return _OK
        edge = msgspec.json.decode(content, type=Alert)
        key = headers.get(KEY, edge.id)
        self.repeats += key in self.edges
        if len(self.edges) < MOST_EDGES:
            self.edges[key] = edge
        return _OK

    def _from_alertmanager(self, content: bytes) -> int:
        for one in msgspec.json.decode(content)["alerts"]:
            if len(self.passed_on) < MOST_EDGES:
                self.passed_on.add((one["labels"]["alert_id"], one["status"]))
        return _OK


def is_genuine(header: str, content: bytes, secret: bytes, now_s: float) -> bool:
    """Say whether a request was signed with our secret within the last five minutes."""
    said = dict(part.partition("=")[::2] for part in header.split(","))
    try:
        signed_s = int(said.get("t", ""))
    except ValueError:
        return False
    wanted = signature(content, secret, signed_s)
    return (
        hmac.compare_digest(wanted.encode(), said.get("v1", "").encode()) and abs(now_s - signed_s) < OLDEST_S
    )


@contextmanager
def receiving(secret: bytes) -> Iterator[tuple[str, Heard]]:
    """Run a receiver on a free port of loopback; gives its address, to which the paths are added, and what it hears."""
    heard = Heard()

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_POST(self) -> None:
            self.send_response(self._taken())
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _taken(self) -> int:
            length = self.headers.get("Content-Length", "")
            if not length.isdecimal():
                return _BAD
            if int(length) > MOST_BYTES:
                return _LARGE
            return heard.take(
                self.path, dict(self.headers), self.rfile.read(int(length)), secret, time.time()
            )

        def log_message(self, *_: object) -> None:
            """Say nothing: the report tells what was heard."""

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{server.server_port}", heard
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
