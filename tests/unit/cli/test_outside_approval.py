"""Approval systems elsewhere: what they are told, how often, and the worked example that approves with its own key."""

from __future__ import annotations

import http.client
import importlib.util
import json
import socket
import threading
import time
from pathlib import Path
from random import Random
from types import ModuleType

import pytest
from memory_wire import MemoryWire, key_file
from msgspec.structs import replace
from office import Office
from receiver import receiving
from signed import NOW_MS, key, model

from driftline.agents.audit.errors import AuditError
from driftline.agents.audit.record import AuditRecord, digest
from driftline.agents.control.controller.errors import ControllerError
from driftline.deploy.cli import pending
from driftline.deploy.control.asking import built, published
from driftline.deploy.control.board import Board
from driftline.deploy.control.errors import AskingError
from driftline.deploy.control.outside import Telling
from driftline.deploy.local.ports import free_port
from driftline.schemas.control.envelope import Envelope
from driftline.schemas.routes import Route
from driftline.streams.alerts.webhook import KEY, SIGNATURE, signature
from driftline.streams.clickhouse.reads import wait_until
from driftline.streams.processors.alert_post import post


def listens(port: int) -> bool:
    """Whether somebody answers on a port of this machine."""
    with socket.socket() as line:
        return line.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def wire() -> MemoryWire:
    """Return a controller in memory at which a promotion of Ann's waits."""
    office = Office("medium")
    office.now_ms = time.time_ns() // 1_000_000
    office.created()
    office.registered("2")
    office.does("shadow", "ann", model=model("2"))
    office.ask("promote", "ann", model=model("2"), ticket="OPS-7")
    return MemoryWire(office)


def test_what_waits_is_told_once(wire: MemoryWire) -> None:
    """The receiver gets the command, its digest and its envelope, signed with the secret, and no second time."""
    board, secret = Board(wire, wire.genesis), b"sixteen letters."
    (waiting,) = board.desk.book
    with receiving() as receiver:
        route = Route(name="itsm", kind="webhook", url=receiver.url, secret=secret)
        telling = Telling(route, post, pytest.fail, Random(1))
        assert (telling.round(board, 1_000.0), telling.round(board, 2_000.0)) == (1, 0)
        (headers, content), (said,) = receiver.taken[0], receiver.bodies
    assert headers[KEY] == said["digest"] == waiting.digest
    assert headers[SIGNATURE] == f"t=1000,v1={signature(content, secret, 1000)}"
    assert (said["kind"], said["lacking"], said["by"], said["command"]["ticket"]) == (
        "approval_wanted", 1, "ann", "OPS-7"
    )  # fmt: skip
    assert Envelope.from_bytes(said["envelope"].encode()).digest == waiting.digest


def test_what_waits_elsewhere_is_not_told(wire: MemoryWire) -> None:
    """Following one deployment, neither the program nor the receiver hears of another's commands."""
    board = Board(wire, wire.genesis)
    assert [len(next(pending._followed(board, wire, name))) for name in ("churn", "other", None)] == [1, 0, 1]
    with receiving() as receiver:
        route = Route(name="itsm", kind="webhook", url=receiver.url)
        telling = Telling(route, post, pytest.fail, Random(1))
        assert [telling.round(board, 1_000.0, name) for name in ("other", "churn")] == [0, 1]


def test_a_webhook_needs_a_file_that_says_what_it_is() -> None:
    """Where no file of routes is named, that is what is said, and how to name one."""
    with pytest.raises(AskingError, match="no file says what 'itsm' is: set DRIFTLINE_ALERTS_ROUTES"):
        pending._telling("", "itsm")


def test_a_receiver_that_fails_hears_again(wire: MemoryWire) -> None:
    """Not before a pause, which grows, and under the same key; what waits no more is not told any more."""
    board, failures = Board(wire, wire.genesis), list[str]()
    with receiving() as receiver:
        receiver.status = 500
        telling = Telling(
            Route(name="itsm", kind="webhook", url=receiver.url), post, failures.append, Random(1)
        )
        assert [telling.round(board, now_s) for now_s in (1_000.0, 1_000.1, 1_001.0)] == [0, 0, 0]
        assert (len(failures), receiver.refused) == (2, 2)
        receiver.status = 200
        assert telling.round(board, 1_100.0) == 1
        assert SIGNATURE not in receiver.taken[0][0]
        other = Telling(
            Route(name="itsm", kind="webhook", url=receiver.url), post, failures.append, Random(1)
        )
        (waiting,) = wire.office.desk.book
        wire.office.ask("approve", "bob", target=waiting.digest)
        wire.catch_up()
        board.hears(wire.coming(0.0))
        assert other.round(board, 1_200.0) == 0


def test_what_comes_later_is_believed_no_sooner_than_what_was_there(wire: MemoryWire) -> None:
    """One that names another who asked, or another digest beside what it carries, ends it, and its number is said."""
    false: tuple[tuple[dict[str, str], str], ...] = (
        ({"actor": "bob"}, "names bob as who asked"),
        ({"command": "ab" * 32}, "another command than the digest"),
        ({"prev_hash": "ab" * 32}, "does not follow"),
    )
    last, *boards = [Board(wire, wire.genesis) for _ in range(len(false) + 1)]
    wire.office.ask("forget", "sue", target="p-1")
    wire.catch_up()
    true = AuditRecord.from_bytes(wire.audit[-1])
    assert true.event == "waits"
    for board, (fields, why) in zip(boards, false, strict=True):
        with pytest.raises(AuditError, match=rf"record {true.seq} .*{why}"):
            board.hears([replace(true, **fields).to_bytes()])
        assert len(list(board.desk.book)) == 1
    last.hears([wire.audit[-1]])
    assert len(list(last.desk.book)) == 2


def test_nothing_is_built_on_an_end_that_no_controller_signed(wire: MemoryWire) -> None:
    """Whoever may write the topic adds a record that needs no signature: no command, and no 'pending', believes it."""
    true = AuditRecord.from_bytes(wire.audit[-1])
    false = AuditRecord(
        seq=true.seq + 1, prev_hash=digest(wire.audit[-1]), event="seen", decided_at_ms=true.decided_at_ms
    )
    wire.audit.append(false.to_bytes())
    with pytest.raises(ControllerError, match="no controller signed the last 1"):
        Board(wire, wire.genesis)


def test_a_command_that_comes_in_a_flood_is_told_of(wire: MemoryWire) -> None:
    """It stands in the audit as one of many: whoever waits hears that nothing was decided, and what to do."""
    board = Board(wire, wire.genesis)
    source = {"count": 50, "first_offset": 0, "last_offset": 49, "size_bytes": 1, "digest": "ab" * 32}
    wire.is_deaf = True
    wire.audit.append(wire.log.append("unread", wire.office.now_ms, unread=source))
    asked = built(board, "halt-serving", {"deployment": "churn", "reason": "x"}, [key("oli")], NOW_MS, bytes)
    found = published(wire, board, asked, timeout_s=5, clock=time.monotonic)
    assert found.is_refusal
    assert (
        found.sentence
        == "it came among 50 that were refused in a flood, told of as one: ask again in a minute"
    )


def test_an_outcome_that_no_controller_signed_is_none(
    wire: MemoryWire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever may write the audit tells the operator that a halt took effect: that is doubted in words."""
    board = Board(wire, wire.genesis)
    asked = built(board, "halt-serving", {"deployment": "churn", "reason": "x"}, [key("oli")], NOW_MS, bytes)
    signed = wire.notes()
    monkeypatch.setattr(wire, "notes", lambda: signed)
    seconds = iter(range(1_000))
    with pytest.raises(AskingError, match="no controller signed that: somebody else may have written it"):
        published(wire, board, asked, timeout_s=5, clock=lambda: float(next(seconds)))


@pytest.fixture(scope="module")
def approver(checkout: Path) -> ModuleType:
    """Return docs/examples/approver.py as a module."""
    spec = importlib.util.spec_from_file_location("approver", checkout / "docs" / "examples" / "approver.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("tickets", "event", "version"), [({"OPS-7"}, "approved", "2"), (set(), "denied", "1")]
)
def test_the_worked_example_approves_by_ticket(
    wire: MemoryWire, approver: ModuleType, tickets: set[str], event: str, version: str
) -> None:
    """With a released ticket it approves, without one it denies, with a key of its own."""
    (waiting,) = wire.office.desk.book
    assert approver.decide(wire, wire.genesis, key("cat"), tickets, waiting.digest) == event
    assert wire.office.state.champion == model(version)
    told = json.loads(wire.audit[-1 if event == "denied" else -2])
    assert (told["event"], told["actor"]) == (event, "cat")


def test_the_worked_example_ends_once_its_key_is_revoked(
    wire: MemoryWire, approver: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What is no webhook's body is 400, a lost file of tickets 503, a key that counts no more 403 and the end."""
    port, tickets = free_port(set()), tmp_path / "tickets"
    (waiting,) = wire.office.desk.book
    named = json.dumps({"digest": waiting.digest}).encode()
    monkeypatch.setattr(approver, "wire_of", lambda _kafka: wire)
    monkeypatch.setenv("DRIFTLINE_KAFKA_BOOTSTRAP", "nowhere:1")
    monkeypatch.setenv("DRIFTLINE_CONTROL_GENESIS", wire.genesis)
    ends: list[object] = []

    def serve() -> None:
        try:
            approver.main(Path(key_file(tmp_path, "stranger")), tickets, port)
        except SystemExit as end:
            ends.append(end.code)

    serving = threading.Thread(target=serve, daemon=True)
    serving.start()
    wait_until(lambda: listens(port), seconds=60, what="that it listens")

    def told(body: bytes) -> tuple[int, str]:
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        line.request("POST", "/", body)
        answer = line.getresponse()
        found = answer.status, answer.read().decode()
        line.close()
        return found

    for body in (b"no", b"[]", b'{"digest": 1}'):
        assert told(body) == (400, "the body is no JSON object with a digest\n")
    status, words = told(named)
    assert (status, "No such file" in words) == (503, True)
    tickets.write_text("OPS-7")
    status, words = told(named)
    assert (status, words.endswith("is nobody's in this installation, or is revoked\n")) == (403, True)
    serving.join(60)
    assert ends == ["stopped: this key approves nothing here any more"]
