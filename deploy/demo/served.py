"""The demo's model as it is served: its package, which takes what an application knows of a flight."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from pyarrow import parquet as pq

from driftline.agents.serving.package.about import About
from driftline.agents.serving.package.manifest import Score
from driftline.agents.serving.package.pack import Order, pack_estimator
from driftline.agents.serving.package.stores import store_of
from driftline.deploy.demo.flights import LEVELS, NUMBERS
from driftline.deploy.demo.model import columns_of
from driftline.deploy.tables.build import build_from_table
from driftline.deploy.tables.plan import plan_table

if TYPE_CHECKING:
    from pathlib import Path

    from sklearn.ensemble import HistGradientBoostingClassifier

    from driftline.agents.control.signing import Signer
    from driftline.agents.serving.package.signed import Signed
    from driftline.schemas.settings import Packages

LIVE: Final = "flights-live"
"""The deployment that is served; `flights` is the year that an application answered by itself, and told of."""
SCORE: Final = "p_late"
ASKED: Final = 1_000
"""Rows that the estimator is asked with while it is packed."""


@dataclass(frozen=True, slots=True)
class Made:
    """What becomes a package.

    Attributes:
        version: of the model.
        estimator: as `driftline.deploy.demo.model.fit` trains it.
        reference: a parquet file: rows that it had not seen with its score, as a profile is built from.
        purpose: in a sentence.
        provenance: of the scores in the reference.
    """

    version: str
    estimator: HistGradientBoostingClassifier
    reference: Path
    purpose: str
    provenance: str = "out-of-fold"


def packed(made: Made, folder: Path, packages: Packages, signer: Signer) -> Signed:
    """Build the reference profile, pack, sign, and put the package into the store.

    Raises:
        PackageError: it cannot be packed.
        StoreError: the store does not take it.
    """
    profile = build_from_table(
        plan_table(made.reference), LIVE, made.version, provenance=made.provenance, resolutions=("1d",)
    ).profile
    reference = pq.read_table(made.reference)
    about = About(
        name="late-flights",
        version=made.version,
        target="target",
        owner="Ana Ruiz",
        purpose=made.purpose,
        tier="high",
        oversight="Bo Lind",
        training_data=hashlib.sha256(made.reference.read_bytes()).hexdigest(),
        scores=(Score(name=SCORE, output="probabilities", column=1),),
        columns=(*NUMBERS, *LEVELS),
    )
    rows = reference.take(np.linspace(0, reference.num_rows - 1, ASKED).astype(np.int64))
    order = Order(about, columns_of(rows), folder / f"late-flights-{made.version}", (signer,), profile)
    # What is lost in ONNX is known: it has no splits by category.
    done = pack_estimator(made.estimator, order, convert=False)
    store_of(packages).push(done.folder, done.signed)
    return done.signed
