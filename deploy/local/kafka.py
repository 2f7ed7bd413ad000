"""The local Kafka: one KRaft broker as a child process."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from driftline.agents.atomic import write_atomically
from driftline.deploy.local.component import Component
from driftline.deploy.local.errors import StackError
from driftline.deploy.local.kafka_config import BROKER, BrokerAccess, BrokerPorts, server_properties
from driftline.deploy.local.kafka_jars import KafkaJars
from driftline.deploy.local.ports import LOOPBACK
from driftline.deploy.local.spawn import Process, spawn_guarded
from driftline.schemas.clients import Config

_METADATA_LOG = "__cluster_metadata-0"
_FORMAT_SECONDS = 60
_ANSWER_SECONDS = 2.0
_CONNECT_SECONDS = 0.2
_JVM_OPTIONS = (
    "-Xms128m",
    "-Xmx512m",
    "-XX:+UseG1GC",
    "-XX:+ExitOnOutOfMemoryError",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSX",
)


class KafkaBroker(Component):
    """A broker with its own data directory, cluster id and ports."""

    name = "kafka"

    def __init__(
        self,
        jars: KafkaJars,
        directory: Path,
        ports: BrokerPorts,
        *,
        cluster_id: str,
        log: Path,
        jvm: Sequence[str] = (),
        access: BrokerAccess | None = None,
    ) -> None:
        """Describe the broker; nothing is written or started.

        Args:
            jars: what runs it.
            directory: holds server.properties and `data`.
            ports: where it listens.
            cluster_id: 22 characters; a broker that answers with another one is not ours.
            log: file for its output.
            jvm: further options of the JVM.
            access: TLS, users and ACLs; None lets everybody in.

        """
        super().__init__(log)
        self.jars = jars
        self.directory = directory
        self.ports = ports
        self.cluster_id = cluster_id
        self._jvm, self._access = tuple(jvm), access
        self._admin: AdminClient | None = None

    @property
    def data(self) -> Path:
        """Directory of the log segments."""
        return self.directory / "data"

    @property
    def bootstrap(self) -> str:
        """Address for clients."""
        return f"{LOOPBACK}:{self.ports.clients}"

    def launch(self) -> Process:
        """Format the data directory when it is new, then start the JVM."""
        self.directory.mkdir(parents=True, exist_ok=True)
        properties = self.directory / "server.properties"
        write_atomically(properties, server_properties(self.data, self.ports, self._access).encode())
        self._format(properties)
        command = self.jars.command("kafka.Kafka", *_JVM_OPTIONS, *self._jvm)
        return spawn_guarded([*command, str(properties)], cwd=self.directory, log=self.log)

    def is_ready(self) -> bool:
        """Say whether our broker answers, is unfenced and leads every partition."""
        # librdkafka reports, and waits after, every refused connection: it is asked only when someone listens.
        if self._admin is None and not _listens(self.ports.clients):
            return False
        self._admin = self._admin or AdminClient(self._client())
        try:
            metadata = self._admin.list_topics(timeout=_ANSWER_SECONDS)
        except KafkaException:
            return False
        cluster_id = str(metadata.cluster_id)
        if cluster_id != self.cluster_id:
            raise StackError(
                f"another Kafka (cluster {cluster_id}) answers on {self.bootstrap}: "
                "stop it, or choose another port"
            )
        partitions = [p for topic in metadata.topics.values() for p in topic.partitions.values()]
        return bool(metadata.brokers) and all(p.leader >= 0 for p in partitions)

    def ended(self) -> None:
        """Drop the client of the process that ended."""
        self._admin = None

    def _format(self, properties: Path) -> None:
        if (self.data / "meta.properties").exists():
            return
        segments = [path.name for path in self.data.glob("*-[0-9]*") if path.name != _METADATA_LOG]
        if segments:
            raise StackError(
                f"{self.data} holds {segments[0]!r} but no meta.properties: "
                "put that file back, or choose another --data-dir"
            )
        # Without either no broker ever ran here: what lies there is half a format.
        shutil.rmtree(self.data, ignore_errors=True)
        command = self.jars.command(
            "kafka.tools.StorageTool",
            "-XX:TieredStopAtLevel=1",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            # Its command line would lie in a file that tools for the JVM read.
            "-XX:-UsePerfData",
        )
        command += ["format", "-t", self.cluster_id, "-c", str(properties)]
        if self._access is not None:
            # Lines of the launcher's own file of arguments: those of a process are for all to see.
            user = f"SCRAM-SHA-512=[name={BROKER},password={self._access.password}]"
            words = [*command[1:], "--add-scram", user]
            arguments = self.directory / "format.arguments"
            write_atomically(arguments, "\n".join(map(_quoted, words)).encode())
            command = [command[0], f"@{arguments}"]
        done = subprocess.run(
            command,
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=_FORMAT_SECONDS,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
        (self.directory / "format.arguments").unlink(missing_ok=True)
        if done.returncode != 0:
            raise StackError(
                f"Kafka could not format {self.data}: {done.stderr.strip() or done.stdout.strip()}"
            )

    def _client(self) -> Config:
        config: Config = {"bootstrap.servers": self.bootstrap, "log_level": 0}
        if self._access is None:
            return config
        return config | {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": BROKER,
            "sasl.password": self._access.password,
            "ssl.ca.location": str(self._access.authority),
        }


def _quoted(word: str) -> str:
    """A word as a file of arguments of the java launcher has it (java, "Launcher argument files")."""
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _listens(port: int) -> bool:
    try:
        socket.create_connection((LOOPBACK, port), _CONNECT_SECONDS).close()
    except OSError:
        return False
    return True
