"""An accuracy worker under a group and a state of its own over the same topics, so that one load serves many rounds."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from unittest import mock

from prometheus_client import CollectorRegistry, start_http_server

from driftline.schemas.settings import Worker, load
from driftline.streams.processors import accuracy, accuracy_worker, join_store


@contextlib.contextmanager
def served(worker: Worker) -> Iterator[CollectorRegistry]:
    """Serve the metrics, and print their port."""
    registry = CollectorRegistry()
    server, _ = start_http_server(0, addr=worker.metrics_host, registry=registry)
    print(json.dumps({"port": server.server_port}), flush=True)
    yield registry
    server.shutdown()


def main(name: str) -> int:
    """Run the worker until it is told to stop."""
    with (
        mock.patch.object(accuracy_worker, "GROUP", f"{accuracy_worker.GROUP}-{name}"),
        mock.patch.object(join_store, "NAME", f"{join_store.NAME}-{name}"),
        mock.patch.object(accuracy, "served_metrics", served),
    ):
        return accuracy.main(load(os.environ, None))


sys.exit(main(sys.argv[1]))
