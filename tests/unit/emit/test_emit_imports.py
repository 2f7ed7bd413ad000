"""The client is tiny: what importing it loads, asked of a fresh interpreter."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

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


USED = """
import json, sys, time
from pathlib import Path
from driftline.agents.emit import Emitter
from driftline.schemas.settings import load
before = set(sys.modules)
kafka = load({"DRIFTLINE_KAFKA_BOOTSTRAP": "127.0.0.1:9"})
emitter = Emitter("churn", "1", settings=kafka, spool_dir=Path(sys.argv[1]), stall_s=0.1)
emitter.log({"a": 1.0, "b": "x"}, score=0.5, predicted="yes")
deadline = time.monotonic() + 30
while emitter.stats().spooled < 1 and time.monotonic() < deadline:
    time.sleep(0.01)
print(json.dumps([emitter.stats().spooled, sorted(set(sys.modules) - before)]))
emitter.close(0.1)
"""


def test_using_the_client_imports_nothing_more(tmp_path: Path) -> None:
    """What its thread imported while the application forks would be half a module in the child, for ever."""
    done = subprocess.run(
        [sys.executable, "-c", USED, str(tmp_path)], capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(done.stdout) == [1, []]
