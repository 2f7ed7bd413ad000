"""The tiny client imports with the bare install, and pulls in nothing of weight."""

import sys

import driftline.agents.emit

HEAVY = ("faust", "clickhouse_connect", "pandas", "pyarrow", "numba", "scipy", "click", "rich", "polars")

loaded = [name for name in HEAVY if name in sys.modules]
if loaded:
    sys.exit(f"import driftline.agents.emit loads {loaded}")
if not hasattr(driftline.agents.emit, "Emitter"):
    sys.exit("driftline.agents.emit has no Emitter")
