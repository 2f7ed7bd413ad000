"""The client of ClickHouse: what a failure leaves behind."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

import clickhouse_connect
import pyarrow as pa
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from driftline.schemas.settings import ClickHouse
from driftline.streams.clickhouse import client as client_module
from driftline.streams.clickhouse.client import ANSWER_SECONDS, Client
from driftline.streams.clickhouse.errors import ClickHouseAwayError, ClickHouseError


class Taking:
    """A driver that takes what is inserted, and keeps with which settings."""

    def __init__(self) -> None:
        self.settings: dict[str, Any] = {}

    def raw_insert(self, _table: str, *, settings: dict[str, Any], **_: Any) -> None:
        """Take it."""
        self.settings = settings


@pytest.mark.parametrize(("cluster", "quorum"), [("", None), ("main", "auto")])
def test_on_a_cluster_most_servers_have_what_is_acknowledged(
    cluster: str, quorum: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An insert into a cluster is acknowledged once most replicas have it; into one server once it is on its disk."""
    driver = Taking()
    monkeypatch.setattr(clickhouse_connect, "get_client", lambda **_: driver)
    Client(ClickHouse(cluster=cluster)).insert("labels", pa.table({"n": [1]}), "token")
    assert driver.settings.get("insert_quorum") == quorum
    assert "insert_deduplication_token" in driver.settings


class Driver:
    """A driver whose server went away."""

    def __init__(self) -> None:
        self.is_closed = False

    def command(self, _sql: str, settings: object) -> None:
        """Fail as a connection that breaks does."""
        assert settings is None
        raise ConnectionResetError("reset by peer")

    def close(self) -> None:
        """Close the pool."""
        self.is_closed = True


class Quiet:
    """A driver that answers, and knows whether it holds a connection."""

    def __init__(self) -> None:
        self.is_connected = False

    def command(self, _sql: str, settings: object) -> None:
        """Connect."""
        del settings
        self.is_connected = True

    def ping(self, _timeout: float) -> bool:
        """Answer."""
        return True

    def close_connections(self) -> None:
        """Let the connections go."""
        self.is_connected = False


def test_clients_of_one_server_share_what_opening_one_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a closed client knew of the server serves the next one, without a connection; two at once have one each."""
    drivers: list[Quiet] = []

    def opened(**_: Any) -> Quiet:
        drivers.append(Quiet())
        return drivers[-1]

    monkeypatch.setattr(clickhouse_connect, "get_client", opened)
    here, elsewhere = ClickHouse(host="here.test"), ClickHouse(host="elsewhere.test")
    for _ in range(2):
        with Client(here) as one:
            one.command("SELECT 1")
        assert [driver.is_connected for driver in drivers] == [False]
    with (
        Client(here) as one,
        Client(here) as other,
        Client(elsewhere) as third,
        Client(here, database="x") as fourth,
    ):
        for client in (one, other, third, fourth):
            client.command("SELECT 1")
        assert [driver.is_connected for driver in drivers] == [True] * 4


def test_a_failure_closes_the_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each failure closes the connections of the driver it drops, and the next call opens another driver."""
    drivers: list[Driver] = []

    def opened(**_: Any) -> Driver:
        drivers.append(Driver())
        return drivers[-1]

    monkeypatch.setattr(clickhouse_connect, "get_client", opened)
    client = Client(ClickHouse())
    for _ in range(2):
        with pytest.raises(ClickHouseAwayError, match=r"does not answer \(reset by peer\)"):
            client.command("SELECT 1")
    assert [driver.is_closed for driver in drivers] == [True, True]


def test_a_server_that_is_away_is_one_short_sentence() -> None:
    """No answer is told by address, cause and what to do, without what the HTTP library says of itself."""
    with socket.socket() as taken:  # bound and not listening: nobody else can answer here
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(ClickHouseAwayError) as caught:
            Client(ClickHouse(host="127.0.0.1", port=port)).query("SELECT 1")
    assert str(caught.value) == (
        f"ClickHouse at 127.0.0.1:{port} does not answer (connection refused): "
        "start it with 'driftline up', or see 'driftline doctor'"
    )


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A port that takes connections and never answers, as of a server that is stopped; opening waits a second."""
    monkeypatch.setattr(client_module, "OPEN_SECONDS", 1)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(8)
        yield listener.getsockname()[1]


def test_a_server_that_is_stopped_is_not_waited_for(silent: int) -> None:
    """What takes connections and says nothing is away after the time to open, not after the time of an answer."""
    began_s = time.monotonic()
    with pytest.raises(ClickHouseAwayError, match="does not answer"):
        Client(ClickHouse(host="127.0.0.1", port=silent)).query("SELECT 1")
    assert time.monotonic() - began_s < ANSWER_SECONDS / 4


def test_a_server_that_was_stopped_since_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver that another client left is asked whether its server is still there, and else given up."""

    class Stopped(Quiet):
        def ping(self, _timeout: float) -> bool:
            return False

        def close(self) -> None:
            self.is_connected = False

    drivers: list[Stopped] = []

    def opened(**_: Any) -> Stopped:
        drivers.append(Stopped())
        return drivers[-1]

    monkeypatch.setattr(clickhouse_connect, "get_client", opened)
    stopped = ClickHouse(host="stopped.test")
    with Client(stopped) as first:
        first.command("SELECT 1")
    with Client(stopped) as second:
        with pytest.raises(ClickHouseAwayError, match=r"does not answer \(no answer in 15 s\)"):
            second.command("SELECT 1")
        second.command("SELECT 1")
    assert len(drivers) == 2


def test_a_value_that_is_no_text_is_one_sentence() -> None:
    """Bytes of a command line that are no UTF-8 never reach the wire."""
    with pytest.raises(ClickHouseError, match=r"deployment 'caf\\udce9' is no text: write it in UTF-8"):
        Client(ClickHouse()).query("SELECT {deployment:String}", {"deployment": "caf\udce9"})


def test_a_statement_that_is_under_way_is_to_be_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its id goes to the server, which refuses a second one of that id; the sentence says to wait."""
    sent: list[object] = []

    class Busy(Driver):
        def command(self, _sql: str, settings: object) -> None:
            sent.append(settings)
            raise DatabaseError("Query with id = one is already running", code=216)

    monkeypatch.setattr(clickhouse_connect, "get_client", lambda **_: Busy())
    with pytest.raises(
        ClickHouseError, match=r"still at work on this very statement of another run.*: wait until"
    ):
        Client(ClickHouse()).command("SELECT 1", "one")
    assert sent == [{"query_id": "one"}]
