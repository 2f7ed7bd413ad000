"""Kafka and ClickHouse together: the data directory, ports, start and stop."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TextIO

import msgspec

from driftline.agents.private import MODE
from driftline.deploy.local.cache import Progress
from driftline.deploy.local.clickhouse import ClickHouseServer
from driftline.deploy.local.clickhouse_config import ClickHouseOptions
from driftline.deploy.local.clickhouse_library import fetch_library
from driftline.deploy.local.component import Component
from driftline.deploy.local.datadir import DataDirectory, newest
from driftline.deploy.local.kafka import KafkaBroker
from driftline.deploy.local.kafka_archive import with_archive
from driftline.deploy.local.kafka_config import BrokerPorts
from driftline.deploy.local.kafka_jars import fetch_jars
from driftline.deploy.local.owner import owner_of_port
from driftline.deploy.local.ports import LOOPBACK, check_apart, claim, free_port
from driftline.deploy.local.secured import Secured, settled
from driftline.schemas.settings import Settings

# Compiling only simply starts faster; for tests, which start often and send little.
QUICK_JVM = ("-XX:TieredStopAtLevel=1",)


class Stack:
    """One Kafka and one ClickHouse with their data; either may be outside, then it is None here.

    Attributes:
        directory: where everything lies.
        kafka: the broker, None when settings say "outside" or before `start`.
        clickhouse: the server, likewise.

    """

    def __init__(
        self,
        settings: Settings,
        *,
        env: Mapping[str, str] = os.environ,
        progress: Progress = lambda _sentence: None,
        jvm: tuple[str, ...] = (),
    ) -> None:
        """Remember the wishes; nothing is fetched, written or started.

        Args:
            settings: section `local` says where and on which ports (0 = a free one).
            env: where the cache of programs is looked up.
            progress: told what takes time.
            jvm: further options for Kafka's JVM.

        """
        self.wishes = settings
        self.directory = DataDirectory(Path(settings.local.data_dir).absolute())
        self.kafka: KafkaBroker | None = None
        self.clickhouse: ClickHouseServer | None = None
        self._env = env
        self._progress = progress
        self._jvm = jvm
        self._secured: Secured | None = None
        self._lock: TextIO | None = None

    @property
    def is_secured(self) -> bool:
        """Whether one needs a user here; known once `prepare` has been called."""
        return self._secured is not None

    @property
    def components(self) -> list[Component]:
        """The components that run here."""
        return [part for part in (self.kafka, self.clickhouse) if part is not None]

    @property
    def settings(self) -> Settings:
        """The wishes with the addresses of what runs here."""
        settings = self.wishes
        if self.kafka is not None:
            kafka = msgspec.structs.replace(settings.kafka, bootstrap=self.kafka.bootstrap)
            settings = msgspec.structs.replace(settings, kafka=kafka)
        if self.clickhouse is not None:
            clickhouse = msgspec.structs.replace(
                settings.clickhouse, host=LOOPBACK, port=self.clickhouse.port
            )
            settings = msgspec.structs.replace(settings, clickhouse=clickhouse)
        return settings if self._secured is None else self._secured.over(settings)

    def settings_of(self, role: str) -> Settings:
        """Those settings with the users of a role; without users, the settings themselves.

        Raises:
            AccessError: the role's file cannot be used.

        """
        return self.settings if self._secured is None else self._secured.settings_of(role, self.settings)

    def file_of(self, role: str) -> Path | None:
        """The settings file that names a process its role; None without users."""
        return None if self._secured is None else self._secured.file_of(role)

    def prepare(self) -> None:
        """Hold the data directory, fetch programs, choose ports; afterwards `start` only starts.

        Raises:
            StackError: a stack runs here already, the directory is not ours, a port is taken, a program is missing.

        """
        self.directory.make()
        self._lock = self.directory.hold()
        try:
            self._assemble()
        except BaseException:
            self._let_go()
            raise

    def start(self) -> None:
        """Start what runs here, both at once, and wait until both answer."""
        if self._lock is None:
            self.prepare()
        try:
            for part in self.components:
                part.begin()
            for part in self.components:
                part.wait_ready()
            if self._secured is not None:
                self._secured.set_up(self.settings)
            self._note_whole()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop Kafka, then ClickHouse, and free the data directory; may be called again."""
        try:
            for part in self.components:
                part.stop()
        finally:
            for part in self.components:
                part.kill()
            self._let_go()

    def _assemble(self) -> None:
        local = self.wishes.local
        directory = self.directory
        identity = directory.identity()
        if (local.kafka, local.clickhouse) == ("local", "local"):
            check_apart(local.kafka_port, local.clickhouse_port)
            identity = directory.check_whole(identity)
        identity = settled(directory, identity, local)
        taken = {local.kafka_port, local.clickhouse_port}
        if identity.secure:
            # Segments, parts and logs hold what the log holds: nobody else may look at them either.
            directory.root.chmod(MODE)
            self._secured = Secured(directory.access, is_new=directory.is_new())
        if local.kafka == "local":
            jars = with_archive(fetch_jars(self._env, self._progress), self._env, self._progress)
            version = newest(directory.root, "Kafka", identity.kafka, jars.version)
            port = self._port(local.kafka_port, identity.kafka_port, "--kafka-port", taken)
            identity = msgspec.structs.replace(identity, kafka=version, kafka_port=port)
            ports = BrokerPorts(port, free_port(taken))
            taken.add(ports.controller)
            self.kafka = KafkaBroker(
                jars,
                directory.kafka,
                ports,
                cluster_id=identity.cluster_id,
                log=directory.log("kafka"),
                jvm=self._jvm,
                access=None if self._secured is None else self._secured.broker,
            )
        if local.clickhouse == "local":
            library = fetch_library(self._env, self._progress)
            version = newest(directory.root, "ClickHouse", identity.clickhouse, library.version)
            port = self._port(local.clickhouse_port, identity.clickhouse_port, "--clickhouse-port", taken)
            identity = msgspec.structs.replace(identity, clickhouse=version, clickhouse_port=port)
            access = self.wishes.clickhouse
            options = ClickHouseOptions(port, "", access.user, access.password, database=access.database)
            self.clickhouse = ClickHouseServer(
                library, directory.clickhouse, options, log=directory.log("clickhouse")
            )
        if self._secured is not None and self.clickhouse is not None:
            self._secured.write(self.settings)
            server = self._secured.server(free_port(taken), self.wishes.clickhouse.database)
            self.clickhouse.options = replace(self.clickhouse.options, access=server)
        directory.write_identity(identity)

    def _note_whole(self) -> None:
        """Remember that both have data here now."""
        identity = self.directory.identity()
        if self.kafka is not None and self.clickhouse is not None and not identity.whole:
            self.directory.write_identity(msgspec.structs.replace(identity, whole=True))

    def _port(self, chosen: int, last: int, option: str, taken: set[int]) -> int:
        """Return the chosen port, else the one of the last start, else a free one; and mark it as taken."""
        if chosen:
            return claim(chosen, setting=option, owner=owner_of_port(chosen))
        port = free_port(taken, preferred=last)
        taken.add(port)
        return port

    def _let_go(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None
