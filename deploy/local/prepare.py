"""Fetch and prepare what the local stack runs, before it runs."""

from __future__ import annotations

from collections.abc import Mapping

from driftline.deploy.local.cache import Progress
from driftline.deploy.local.clickhouse_library import fetch_library
from driftline.deploy.local.kafka_archive import with_archive
from driftline.deploy.local.kafka_jars import fetch_jars
from driftline.schemas.settings import Settings


def prepare(settings: Settings, env: Mapping[str, str], progress: Progress) -> None:
    """Fill the cache for the parts that settings call "local"; the second time nothing is fetched.

    Raises:
        StackError: a program is missing or a fetch failed.

    """
    if settings.local.kafka == "local":
        with_archive(fetch_jars(env, progress), env, progress)
    if settings.local.clickhouse == "local":
        fetch_library(env, progress)
