"""`driftline healthy`: what a container's health check is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from driftline.deploy.cli import main
from driftline.deploy.local.ports import LOOPBACK, free_port


class Answers(BaseHTTPRequestHandler):
    """200 at /metrics, 503 anywhere else."""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(200 if self.path == "/metrics" else 503)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[str]:
    """The port of a server that answers."""
    with HTTPServer((LOOPBACK, 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield str(server.server_port)
        server.shutdown()
        thread.join()


def test_who_answers_200_is_well(port: str) -> None:
    """A port that answers 200 is well, and nothing is said."""
    assert main(["healthy", port]) == 0


def test_who_answers_otherwise_is_not(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Another status is not well, and one line names the address."""
    assert main(["healthy", port, "--path", "/v2/health/ready"]) == 1
    assert capsys.readouterr().err == (
        f"driftline: http://127.0.0.1:{port}/v2/health/ready does not answer 200\n"
    )


def test_a_port_where_nobody_listens_is_not_well() -> None:
    """Nobody there is not well."""
    assert main(["healthy", str(free_port(set()))]) == 1
