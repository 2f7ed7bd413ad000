"""The real Kafka and the real ClickHouse of the integration tests: one stack a run, a lane a test."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import KafkaException
from rig import Crew, say

from driftline.deploy.local.environment import child_environment
from driftline.deploy.local.errors import StackError
from driftline.deploy.local.kafka_topics import admin_client, ensure_topics
from driftline.deploy.local.lane import open_lane
from driftline.deploy.local.stack import QUICK_JVM, Stack
from driftline.schemas.settings import Settings, load
from driftline.schemas.topics import TOPICS
from driftline.streams.clickhouse.client import Client
from driftline.streams.clickhouse.migrate import quoted

_ANSWER_S = 30.0


class TestStack(Stack):
    """A stack for tests: its `kafka` and `clickhouse` can be killed, paused and restarted by name."""

    __test__ = False

    @property
    def bootstrap(self) -> str:
        """Address of Kafka."""
        return self.settings.kafka.bootstrap

    @property
    def env(self) -> dict[str, str]:
        """This process's environment with the DRIFTLINE_* of the stack, for child processes."""
        return self.env_of(self.settings)

    @staticmethod
    def env_of(settings: Settings) -> dict[str, str]:
        """This process's environment with the DRIFTLINE_* of some settings (a lane's), for child processes."""
        return child_environment(settings)

    def create_topics(self, prefix: str, partitions: int | None = None) -> Settings:
        """Create the topics under a prefix and return settings that use it."""
        count = self.settings.kafka.partitions if partitions is None else partitions
        kafka = msgspec.structs.replace(self.settings.kafka, topic_prefix=prefix, partitions=count)
        settings = msgspec.structs.replace(self.settings, kafka=kafka)
        ensure_topics(settings)
        return settings

    def lane(self, name: str = "", partitions: int | None = None) -> Settings:
        """Open a lane of its own: unique topic prefix and database, topics made, migrations applied."""
        plain = re.sub(r"\W+", "_", name)[:40] or "lane"
        return open_lane(self.settings, f"{plain}_{uuid.uuid4().hex[:8]}", partitions=partitions)

    def clear(self, lane: Settings) -> None:
        """Remove the topics and the database of a lane: a broker that was killed reads every log that it holds."""
        self.mend()
        admin = admin_client(lane)
        names = [lane.kafka.topic_prefix + topic.name for topic in TOPICS]
        for future in admin.delete_topics(names).values():
            with suppress(KafkaException):  # a test may have removed one
                future.result(_ANSWER_S)
        with Client(lane.clickhouse, database="default") as client:
            client.command(f"DROP DATABASE IF EXISTS {quoted(lane.clickhouse.database)} SYNC")

    def mend(self) -> None:
        """Bring back what a test before left paused or dead."""
        for part in self.components:
            part.resume()
            part.start()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestStack]:
    """Start a real Kafka and a real ClickHouse on free ports for the whole run."""
    folder: Path = tmp_path_factory.mktemp("stack")
    settings = load({"DRIFTLINE_LOCAL_DATA_DIR": str(folder)}, None)
    running = TestStack(settings, progress=print, jvm=QUICK_JVM)
    try:
        running.start()
    except StackError as error:
        pytest.fail(f"{error}\n{error.tail}", pytrace=False)
    yield running
    running.stop()


@pytest.fixture
def lane(stack: TestStack, request: pytest.FixtureRequest) -> Iterator[Settings]:
    """Give settings with a topic prefix and a database of their own on the running stack."""
    stack.mend()
    opened = stack.lane(request.node.name)
    yield opened
    stack.clear(opened)


@pytest.fixture
def tuned(lane: Settings) -> Settings:
    """Settings of the lane's workers; a module whose workers need others has a fixture of this name."""
    return lane


@pytest.fixture
def crew(stack: TestStack, tuned: Settings, tmp_path: Path) -> Iterator[Crew]:
    """Workers of the lane; none is left behind, and what they said last is shown where a test fails."""
    made = Crew(stack.env_of(tuned), tmp_path)
    yield made
    made.dismiss()
    say(made.tails())
