"""One secured Kafka and ClickHouse for the tests of this folder, with topics and tables, and no worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from real_stack import TestStack

from driftline.deploy.local.errors import StackError
from driftline.deploy.local.kafka_topics import ensure_topics
from driftline.deploy.local.stack import QUICK_JVM
from driftline.schemas.settings import load
from driftline.streams.clickhouse.migrate import migrate


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestStack]:
    """Start the stack as `driftline up --secure --no-workers` does."""
    folder = tmp_path_factory.mktemp("secured")
    settings = load({"DRIFTLINE_LOCAL_DATA_DIR": str(folder), "DRIFTLINE_LOCAL_SECURE": "true"}, None)
    running = TestStack(settings, progress=print, jvm=QUICK_JVM)
    try:
        running.start()
        ensure_topics(running.settings_of("admin"))
        migrate(running.settings_of("admin"))
    except StackError as error:
        running.stop()
        pytest.fail(f"{error}\n{error.tail}", pytrace=False)
    yield running
    running.stop()
