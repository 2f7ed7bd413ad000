"""The client of ClickHouse: what a failure leaves behind."""

from __future__ import annotations

from typing import Any

import clickhouse_connect
import pytest

from driftline.schemas.settings import ClickHouse
from driftline.streams.clickhouse.client import Client
from driftline.streams.clickhouse.errors import ClickHouseAwayError


class Driver:
    """A driver whose server went away."""

    def __init__(self) -> None:
        self.is_closed = False

    def command(self, _sql: str) -> None:
        """Fail as a connection that breaks does."""
        raise ConnectionResetError("reset by peer")

    def close(self) -> None:
        """Close the pool."""
        self.is_closed = True


def test_a_failure_closes_the_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each failure closes the connections of the driver it drops, and the next call opens another driver."""
    drivers: list[Driver] = []

    def opened(**_: Any) -> Driver:
        drivers.append(Driver())
        return drivers[-1]

    monkeypatch.setattr(clickhouse_connect, "get_client", opened)
    client = Client(ClickHouse())
    for _ in range(2):
        with pytest.raises(ClickHouseAwayError, match="reset by peer"):
            client.command("SELECT 1")
    assert [driver.is_closed for driver in drivers] == [True, True]
