"""Tables as a cluster of replicas has them: made by the migrations on a real ClickHouse, with a real ZooKeeper.

The engine that the tests run takes no ON CLUSTER, which asks for a server's own machinery: here each table is given the
id that ON CLUSTER would give it, and the rest of each statement is what a cluster gets.
"""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest

from driftline.deploy.local import clickhouse as local_clickhouse
from driftline.deploy.local.ports import LOOPBACK, free_port
from driftline.deploy.local.stack import Stack
from driftline.schemas.settings import Settings, load
from driftline.streams.clickhouse import migrate as migrations
from driftline.streams.clickhouse import retention
from driftline.streams.clickhouse.client import Client
from driftline.streams.clickhouse.clustered import clustered

CLUSTER = "main"
START_S = 60.0


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[int]:
    """The port of a ZooKeeper."""
    shutil.copy(Path(__file__).parents[2] / "support/keeper/pom.xml", tmp_path)
    fetch = [
        "mvn",
        "-B",
        "-q",
        "dependency:copy-dependencies",
        "-DincludeScope=runtime",
        "-DoutputDirectory=lib",
    ]
    subprocess.run(fetch, cwd=tmp_path, check=True)
    port = free_port(set())
    (tmp_path / "zoo.cfg").write_text(
        f"tickTime=2000\ndataDir={tmp_path}/keeper\nclientPort={port}\nclientPortAddress={LOOPBACK}\n"
        "admin.enableServer=false\n"
    )
    main = "org.apache.zookeeper.server.ZooKeeperServerMain"
    with subprocess.Popen(
        ["java", "-Xmx256m", "-cp", "lib/*", main, "zoo.cfg"], cwd=tmp_path, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        deadline = time.monotonic() + START_S
        while not listens(port):
            assert process.poll() is None, "ZooKeeper ended"
            assert time.monotonic() < deadline, "ZooKeeper does not listen"
            time.sleep(0.1)
        yield port
        process.kill()


@pytest.fixture
def cluster(keeper: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Settings of a ClickHouse that is one replica of a cluster."""
    plain = local_clickhouse.config_xml
    monkeypatch.setattr(
        local_clickhouse,
        "config_xml",
        lambda options, users: (
            plain(options, users)
            .replace("</macros>", "<shard>1</shard><replica>one</replica></macros>")
            .replace(
                "</clickhouse>",
                f"<zookeeper><node><host>{LOOPBACK}</host><port>{keeper}</port></node></zookeeper></clickhouse>",
            )
        ),
    )
    for module in (migrations, retention):
        monkeypatch.setattr(module, "clustered", without_ddl_queue)
    local = {"DRIFTLINE_LOCAL_DATA_DIR": str(tmp_path / "stack"), "DRIFTLINE_LOCAL_KAFKA": "outside"}
    stack = Stack(load(local, None))
    stack.start()
    there = stack.settings
    yield msgspec.structs.replace(
        there, clickhouse=msgspec.structs.replace(there.clickhouse, cluster=CLUSTER)
    )
    stack.stop()


def listens(port: int) -> bool:
    """Whether somebody answers on a port."""
    with socket.socket() as asked:
        return asked.connect_ex((LOOPBACK, port)) == 0


def without_ddl_queue(statement: str, cluster: str) -> str:
    """A statement for this one replica, with an id in place of what ON CLUSTER does."""
    text = clustered(statement, cluster)
    made = re.sub(
        rf"^(CREATE TABLE IF NOT EXISTS \w+) ON CLUSTER `{CLUSTER}`", rf"\1 UUID '{uuid.uuid4()}'", text
    )
    return made.replace(f" ON CLUSTER `{CLUSTER}`", "")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_migration_makes_replicated_tables(cluster: Settings) -> None:
    """All migrations apply once; each table is replicated; a block with a token that came before adds nothing."""
    assert migrations.migrate(cluster) == [one.file_name for one in migrations.shipped()]
    assert migrations.migrate(cluster) == []
    with Client(cluster.clickhouse) as client:
        tables = client.query(
            "SELECT name, engine FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
        )
        assert len(tables) > 10
        assert [row for row in tables if not row["engine"].startswith("Replicated")] == []
        # Kept by the number of blocks, not for an hour, as a server would otherwise.
        rows = pa.table({"prediction_id": [bytes(16)], "deployment": ["churn"]})
        for _ in range(2):
            client.insert("labels", rows, "predictions 0 17-29")
        assert client.query("SELECT count() AS n FROM labels") == [{"n": 1}]
        client.command("ALTER TABLE labels DELETE WHERE deployment = 'churn' SETTINGS mutations_sync = 1")
        assert client.query("SELECT count() AS n FROM labels") == [{"n": 0}]
    shorter = msgspec.structs.replace(cluster.archive, retention_days=30)
    with Client(cluster.clickhouse) as client:
        assert "predictions" in retention.apply(client, shorter)
        assert retention.apply(client, shorter) == []
