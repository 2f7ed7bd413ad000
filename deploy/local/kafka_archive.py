"""A class-data-sharing archive of Kafka: made once by a trial broker, it halves the start of every later one."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from driftline.deploy.local.cache import Progress, cache_root, digest_of, prepared
from driftline.deploy.local.cluster_id import new_cluster_id
from driftline.deploy.local.kafka import KafkaBroker
from driftline.deploy.local.kafka_config import BrokerPorts
from driftline.deploy.local.kafka_jars import KafkaJars
from driftline.deploy.local.ports import free_port
from driftline.deploy.local.programs import JAVA, version_text

_FILE = "kafka.jsa"


def with_archive(jars: KafkaJars, env: Mapping[str, str], progress: Progress) -> KafkaJars:
    """Return the jars with their archive, making it when the cache does not hold it yet.

    The archive holds for one Java and one directory of jars; both are part of its name. The JVM itself checks
    it again and goes on without it when something differs.
    """

    def make(directory: Path) -> None:
        progress("preparing a faster start of Kafka (once)")
        with tempfile.TemporaryDirectory() as scratch:
            _trial(jars, Path(scratch), directory / _FILE)

    java = f"{version_text(JAVA)} {Path(jars.java).resolve()} {jars.directory}"
    root = prepared(cache_root(env), f"kafka-cds-{jars.version}-{digest_of(java.encode())}", make, progress)
    archive = root / _FILE
    # A JVM that cannot make archives left none: then Kafka starts without.
    return replace(jars, archive=archive) if archive.exists() else jars


def _trial(jars: KafkaJars, scratch: Path, archive: Path) -> None:
    """Start a broker, wait until it is ready and stop it: the JVM then writes the archive."""
    first = free_port(set())
    ports = BrokerPorts(first, free_port({first}))
    option = f"-XX:ArchiveClassesAtExit={archive}"
    broker = KafkaBroker(
        jars, scratch, ports, cluster_id=new_cluster_id(), log=scratch / "kafka.log", jvm=[option]
    )
    try:
        broker.start()
        broker.stop()
    finally:
        broker.kill()
