"""MLServer: fits the estimator of the benchmark `serve` on the rows it is given, and serves it until it is killed.

Usage: run_mlserver.py FOLDER PORT GRPC_PORT METRICS_PORT; FOLDER holds rows.npz. The model answers in MLServer's own
process, which is its quickest form: by default requests go on to workers.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import joblib
import numpy as np
from mlserver.cli import main
from sklearn.ensemble import HistGradientBoostingClassifier

folder = Path(sys.argv[1])
ports = dict(zip(("http_port", "grpc_port", "metrics_port"), map(int, sys.argv[2:]), strict=True))
rows = np.load(folder / "rows.npz")
joblib.dump(
    HistGradientBoostingClassifier(max_iter=100).fit(rows["table"], rows["truth"]), folder / "model.joblib"
)
model = {
    "name": "bench",
    "implementation": "mlserver_sklearn.SKLearnModel",
    "parameters": {"uri": "./model.joblib", "version": "1"},
}
(folder / "model-settings.json").write_text(json.dumps(model))
settings = {"debug": False, "host": "127.0.0.1", "parallel_workers": 0, **ports}
(folder / "settings.json").write_text(json.dumps(settings))
sys.argv[1:] = ["start", str(folder)]
main()
