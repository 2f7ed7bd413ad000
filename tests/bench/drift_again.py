"""A drift worker under a group of its own over the same topics, so that one load serves many measurements."""

from __future__ import annotations

import json
import os
import sys
from typing import Any
from unittest import mock

from prometheus_client import start_http_server

from driftline.schemas.settings import load
from driftline.streams.processors import drift, service


def main(group: str) -> int:
    """Run the worker; its app, and so its group and changelog, carries another name. Prints its metrics port."""
    app_class = drift.DriftApp

    def named(name: str, **options: Any) -> drift.DriftApp:
        return app_class(group + name, **options)

    def served(*arguments: Any, **options: Any) -> object:
        server, thread = start_http_server(*arguments, **options)
        print(json.dumps({"port": server.server_port}), flush=True)
        return server, thread

    with mock.patch.object(drift, "DriftApp", named), mock.patch.object(service, "start_http_server", served):
        return drift.main(load(os.environ, None))


sys.exit(main(sys.argv[1]))
