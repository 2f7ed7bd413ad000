"""The client is tiny: what importing it loads, asked of a fresh interpreter."""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = {
    "aiokafka",
    "chdb",
    "click",
    "clickhouse_connect",
    "faust",
    "mode",
    "numba",
    "pandas",
    "polars",
    "prometheus_client",
    "pyarrow",
    "rich",
    "scipy",
    "sklearn",
}
ALLOWED = {"confluent_kafka", "driftline", "fastavro", "msgspec", "numpy", "xxhash"}
# Codecs and typing helpers that fastavro and confluent_kafka load where they happen to be installed.
OPTIONAL = {"backports", "cramjam", "lz4", "snappy", "typing_extensions", "zstandard"}
SOURCE = """
import json, sys
before = set(sys.modules)
import driftline.agents.emit
print(json.dumps(sorted({name.partition(".")[0] for name in set(sys.modules) - before})))
"""


def test_importing_the_client_loads_nothing_of_weight() -> None:
    """Only confluent_kafka, fastavro, msgspec, numpy, xxhash and the standard library are loaded."""
    done = subprocess.run(
        [sys.executable, "-c", SOURCE], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = set(json.loads(done.stdout))
    assert loaded & HEAVY == set()
    outside = {
        name
        for name in loaded
        if name not in sys.stdlib_module_names and not name.startswith(("_", "cimpl", "cython_runtime"))
    }
    assert outside - ALLOWED - OPTIONAL == set()
