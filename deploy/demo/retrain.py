"""What `driftline worker retrain` runs in the demo: train again on what came before the month that asks for it.

    python -m driftline.deploy.demo.retrain FOLDER

reads the advice on its standard input, trains on the flights before the month that the advice is about, packs the
model as the next version with a reference that it has not seen, and asks the controller to register it.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import parquet as pq

from driftline.agents.control.keys import load
from driftline.deploy.control.manifests import packaged
from driftline.deploy.demo.model import DAY_MS, fit, matrix
from driftline.deploy.demo.office import said
from driftline.deploy.demo.served import LIVE, SCORE, Made, packed
from driftline.deploy.local.discover import as_role
from driftline.schemas.access import OPERATOR
from driftline.schemas.advice import Advice
from driftline.schemas.settings import load as settings_of

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sklearn.ensemble import HistGradientBoostingClassifier

VERSION: Final = "2"
YEAR: Final = "year.parquet"
LEARNING_RATE: Final = 0.05
"""Half of the first model's: of rates tried on January to May, the one whose June came out best."""
_EVEN: Final = 2


def trained(features: NDArray[Any], flights: pa.Table) -> tuple[HistGradientBoostingClassifier, pa.Table]:
    """Train on all flights that have landed, and score each by a model that has not seen its day.

    Args:
        features: their rows of `driftline.deploy.demo.model.matrix`.
        flights: those before the month that asks for it.

    Returns:
        The model, and the reference: the flights with `p_late`. Even days are scored by a model of the odd ones, and
        odd days by one of the even ones.
    """
    known = pc.is_valid(flights["target"]).to_numpy()
    late = pc.fill_null(flights["target"], fill_value=False).to_numpy()
    even = pc.cast(flights["event_time"], pa.int64()).to_numpy() // DAY_MS % _EVEN == 0
    # Side by side, each on one thread: OMP_NUM_THREADS is 1 here, or they would wait for one another by spinning.
    learnt = (known & ~even, known & even, known)
    with ThreadPoolExecutor(len(learnt)) as pool:
        models = list(pool.map(lambda rows: fit(features[rows], late[rows], LEARNING_RATE), learnt))
    scores = np.zeros(len(late))
    for half, model in zip((even, ~even), models[:-1], strict=True):
        scores[half] = model.predict_proba(features[half])[:, 1]
    return models[-1], with_scores(flights, scores, known)


def with_scores(flights: pa.Table, scores: NDArray[np.float64], known: NDArray[np.bool_]) -> pa.Table:
    """Give the flights whose end is known with their scores: what a profile is built from."""
    scored = flights.drop_columns([SCORE]).append_column(SCORE, pa.array(scores))
    return scored.filter(pa.array(known))


def main(folder: Path) -> None:
    """Train, pack and ask for the registration."""
    # Who registers is no worker: on a secured stack it has an operator's user.
    settings = as_role(settings_of(os.environ), OPERATOR)
    advice = msgspec.json.decode(sys.stdin.buffer.read(), type=Advice)
    year = pq.read_table(folder / YEAR)
    before = year.filter(pc.less(pc.cast(year["event_time"], pa.int64()), advice.window_start_ms))
    model, reference = trained(matrix(before), before)
    file = folder / "control" / f"reference-{VERSION}.parquet"
    pq.write_table(reference, file)
    months = f"{reference['event_time'][0].as_py():%B} to {reference['event_time'][-1].as_py():%B}"
    purpose = f"says at departure whether a flight will arrive late; learnt from {months}"
    key = load(Path(settings.control.key))
    made = Made(VERSION, model, file, purpose)
    signed = packed(made, folder / "control" / "packages", settings.packages, key)
    _, manifest = packaged(folder / "control" / "packages" / f"late-flights-{VERSION}")
    profile = signed.manifest.profile
    fields = {
        "deployment": LIVE,
        "model": signed.ref,
        "manifest": manifest,
        "profile": None if profile is None else profile.digest,
        "reason": f"retrained on {months}, as advice {advice.id} asks",
    }
    outcome, _ = said(settings, "register", key, lambda _: fields)
    print(f"version {VERSION} learnt from {reference.num_rows:,} flights; register: {outcome.event}")  # noqa: T201 - a program


if __name__ == "__main__":
    main(Path(sys.argv[1]))
