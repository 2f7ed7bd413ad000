"""Kafka as docker-compose.yml configures it: a real broker, its users and ACLs set by the service that sets them."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from composed import compose_file, parts_of, with_secrets
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from deployed import Part, placed

from driftline.deploy.cli import main
from driftline.deploy.demo.secrets import CONTROLLER_PORT, FILE, INNER_PORT, OUTSIDE_PORT
from driftline.deploy.local.kafka_archive import with_archive
from driftline.deploy.local.kafka_jars import fetch_jars
from driftline.deploy.local.kafka_topics import ensure_topics
from driftline.deploy.local.ports import LOOPBACK, free_port
from driftline.schemas.settings import Settings, kafka_config, load

CLIENT_PORT = 9092
JVM = ("-Xmx512m", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")


class Broker:
    """The broker of the compose file, with ports and folders of this machine."""

    def __init__(self, parts: dict[str, Part], cluster_id: str, root: Path) -> None:
        with_secrets(parts["secrets"], root)
        self.root, self.ports = root, {}
        for port in (CLIENT_PORT, CONTROLLER_PORT, OUTSIDE_PORT, INNER_PORT):
            self.ports[port] = free_port(set(self.ports.values()))
        place = root / "secrets/kafka"
        text = (place / "server.properties").read_text()
        text = text.replace("/mnt/shared/config", str(place)).replace(
            "/var/lib/kafka/data", str(root / "kafka")
        )
        for inside, here in self.ports.items():
            text = text.replace(f":{inside}", f":{here}")
        self._file = root / "server.properties"
        # The name of the container is this machine's.
        self._file.write_text(text.replace("://kafka:", f"://{LOOPBACK}:"))
        jars = with_archive(fetch_jars({}, print), {}, print)
        form = [
            *jars.command("kafka.tools.StorageTool", *JVM),
            "format",
            "-t",
            cluster_id,
            "-c",
            str(self._file),
        ]
        subprocess.run(form, check=True, capture_output=True)
        with (root / "kafka.log").open("wb") as log:
            self.process = subprocess.Popen(
                [*jars.command("kafka.Kafka", *JVM), str(self._file)], stdout=log, stderr=log, cwd=root
            )

    def settings(self, role: str, port: int = CLIENT_PORT) -> Settings:
        """The settings of a role as its file has them, with the port of this machine."""
        file = self.root / "secrets" / role / FILE
        return load({"DRIFTLINE_KAFKA_BOOTSTRAP": f"{LOOPBACK}:{self.ports[port]}"}, file)


@pytest.fixture
def broker(checkout: Path, tmp_path: Path) -> Iterator[Broker]:
    """The broker, running."""
    document = compose_file(checkout)
    made = Broker(parts_of(document), document["services"]["kafka"]["environment"]["CLUSTER_ID"], tmp_path)
    yield made
    made.process.terminate()
    made.process.wait(60)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_users_and_acls_are_those_of_the_roles(
    checkout: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`access-kafka` sets users and ACLs with the one user that the broker is begun with; then each role is itself.

    The administrator makes the topics over TLS, from inside and from outside; an agent may not.
    """
    part = placed(parts_of(compose_file(checkout))["access-kafka"], broker.root)
    env = {**part.env, "DRIFTLINE_KAFKA_BOOTSTRAP": f"{LOOPBACK}:{broker.ports[INNER_PORT]}"}
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(broker.root)
    while main(part.argv):  # as its restart has it, while the broker begins; the test's own time bounds it
        assert broker.process.poll() is None, (broker.root / "kafka.log").read_text()[-2_000:]
    for name in env:
        monkeypatch.delenv(name)
    ensure_topics(broker.settings("admin"))
    outside = broker.settings("drift", OUTSIDE_PORT).kafka
    assert "predictions" in AdminClient(kafka_config(outside)).list_topics(timeout=20).topics
    agent = broker.settings("agent").kafka
    admin = AdminClient(kafka_config(agent))
    with pytest.raises(KafkaException):
        admin.delete_topics(["predictions"])["predictions"].result(20)
    wrong = AdminClient({**kafka_config(agent), "sasl.password": "guessed"})
    with pytest.raises(KafkaException):
        wrong.list_topics(timeout=5)
