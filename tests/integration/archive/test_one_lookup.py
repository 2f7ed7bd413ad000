"""The look-up table takes over what the table `lineage` held, and stays for years; what is kept is a view of it."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from driftline.schemas.settings import Settings
from driftline.streams.clickhouse import migrate as migrations
from driftline.streams.clickhouse.client import Client
from driftline.streams.clickhouse.migrate import migrate, shipped

NOW = datetime.now(UTC).replace(microsecond=0)
DAYS = {"both": 1, "old look-up": 3, "old both": 80, "lineage": 100}
"""How long ago each prediction came: the second before there was lineage, the last is gone from the look-up."""


def apply_before(settings: Settings, patch: pytest.MonkeyPatch) -> None:
    """Bring a new database to the state before the look-up took the lineage over."""
    with patch.context() as then:
        then.setattr(migrations, "shipped", lambda: shipped()[:12])
        then.setattr(migrations.retention, "apply", lambda *_: [])
        migrate(settings)


def fill(client: Client) -> None:
    """Write the predictions where each lay then."""
    for name, days in DAYS.items():
        at = f"toDateTime64('{NOW - timedelta(days=days):%F %T}', 3, 'UTC')"
        row = f"'d', CAST(sipHash128('{name}') AS FixedString(16)), {at}, '7', 'champion', {at}"
        columns = "deployment, prediction_id, ts, model_version, slot, arrived"
        if name != "lineage":
            client.command(
                f"INSERT INTO prediction_lookup ({columns}, src_partition, src_offset) SELECT {row}, 1, 5"
            )
        if name != "old look-up":
            client.command(f"INSERT INTO lineage ({columns}) SELECT {row}")


def places(client: Client, table: str) -> list[int]:
    """How many days ago each prediction came that a table tells of."""
    found = client.query(f"SELECT arrived FROM {table} ORDER BY arrived DESC")
    return [(NOW - row["arrived"].replace(tzinfo=UTC)).days for row in found]


@pytest.fixture
def old(lane: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A database of before."""
    name = f"before{uuid.uuid4().hex[:8]}"
    settings = msgspec.structs.replace(
        lane, clickhouse=msgspec.structs.replace(lane.clickhouse, database=name)
    )
    apply_before(settings, monkeypatch)
    return settings


@pytest.mark.parametrize("cut", [0, 4, 5, 8])
def test_every_prediction_stays_known_over_the_upgrade(old: Settings, cut: int) -> None:
    """Once each, with its offset where it had one; also after a crash behind the copy, the removal, or all of it."""
    [file] = [one for one in shipped() if one.number == 13]
    assert len(file.statements) == 8
    with Client(old.clickhouse) as client:
        fill(client)
        for statement in file.statements[:cut]:
            client.command(statement)
        assert file.file_name in migrate(old)
        assert places(client, "lineage") == sorted(DAYS.values())
        assert places(client, "lineage_now") == sorted(DAYS.values())
        assert places(client, "kept_lookup") == [1, 3, 80]
        assert client.query("SELECT DISTINCT src_offset AS at FROM kept_lookup") == [{"at": 5}]
        client.command("OPTIMIZE TABLE prediction_lookup FINAL")
        assert places(client, "lineage") == sorted(DAYS.values())
        client.command(f"DROP DATABASE {old.clickhouse.database}")
