"""Requests with a wrong method, path or token: the headers that RFC 9110 asks of their answers."""

from __future__ import annotations

from pathlib import Path

import pytest
from served import agent
from wired import Line, run

from driftline.agents.serving.agent import Agent


def asked(method: str, path: str) -> bytes:
    """Return a request without a body as it goes over the wire."""
    return f"{method} {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n".encode()


@pytest.fixture
def tokens(tmp_path: Path) -> str:
    """A file of tokens, which opens the doors."""
    file = tmp_path / "tokens.toml"
    file.write_text(f'[tokens]\nchurn = "{"t" * 32}"\n')
    file.chmod(0o600)
    return str(file)


def test_another_method_is_answered_by_those_that_are_allowed(tmp_path: Path, tokens: str) -> None:
    """405 with `Allow`, for each kind of path."""

    async def whole(_made: Agent, line: Line) -> None:
        for method, path, allowed in (
            ("DELETE", "/v2/models/churn/infer", "POST"),
            ("GET", "/v2/models/churn/versions/1/infer", "POST"),
            ("GET", "/v1/events", "POST"),
            ("POST", "/v2/models/churn", "GET, HEAD"),
            ("POST", "/v2/models/churn/ready", "GET, HEAD"),
            ("POST", "/v2", "GET, HEAD"),
            ("PUT", "/v2/health/ready", "GET, HEAD"),
            ("POST", "/metrics", "GET, HEAD"),
        ):
            status, headers, told = await line.ask(asked(method, path))
            assert (status, headers.get("allow")) == (405, allowed), path
            assert told["error"] == f"{method} is not done here; {allowed.partition(',')[0]} is"

    run(lambda: agent(tmp_path, tokens=tokens), whole)


def test_a_compressed_body_is_read_by_no_door(tmp_path: Path, tokens: str) -> None:
    """415 and a sentence, before anything is made of its bytes."""

    async def whole(_made: Agent, line: Line) -> None:
        for path in ("/v1/events", "/v1/labels", "/v1/cloudevents"):
            sent = asked("POST", path).replace(b"host: a", b"host: a\r\ncontent-encoding: gzip")
            status, _, told = await line.ask(sent)
            assert (status, told["error"]) == (415, "compressed bodies are not read: send it as it is"), path

    run(lambda: agent(tmp_path, tokens=tokens), whole)


def test_a_path_that_leads_nowhere_allows_nothing(tmp_path: Path) -> None:
    """404 whatever the method: a slip in the address of a POST is no wrong method."""

    async def whole(_made: Agent, line: Line) -> None:
        for path in (
            "/v2/model/churn/infer",
            "/v2/models/churn/infr",
            "/v2/models/nobody",
            "/v2/health",
            "/v1/events",
        ):
            for method in ("POST", "GET"):
                status, headers, _ = await line.ask(asked(method, path))
                assert (status, headers.get("allow")) == (404, None), path

    run(lambda: agent(tmp_path), whole)


def test_a_wrong_token_is_answered_by_how_to_send_one(tmp_path: Path, tokens: str) -> None:
    """401 with `WWW-Authenticate`."""

    async def whole(_made: Agent, line: Line) -> None:
        status, headers, _ = await line.ask(asked("POST", "/v1/events"))
        assert (status, headers["www-authenticate"]) == (401, "Bearer")

    run(lambda: agent(tmp_path, tokens=tokens), whole)
