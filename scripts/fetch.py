"""Fetch what the local stack runs, Kafka by Maven and ClickHouse by npm, unless the cache has it already."""

from __future__ import annotations

import os
import sys

from driftline.deploy.local.clickhouse_library import fetch_library
from driftline.deploy.local.kafka_archive import with_archive
from driftline.deploy.local.kafka_jars import fetch_jars
from driftline.schemas.errors import DriftlineError


def say(sentence: str) -> None:
    """Print one step of the progress."""
    print(f"setup: {sentence}", flush=True)


if __name__ == "__main__":
    try:
        with_archive(fetch_jars(os.environ, say), os.environ, say)
        fetch_library(os.environ, say)
    except DriftlineError as error:
        print(f"setup: {error}", file=sys.stderr)
        sys.exit(1)
