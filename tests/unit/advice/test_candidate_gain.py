"""What a candidate's table gains, over answers in memory: by what the deployment declares, or why there is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from counting import batch, profile_of

from driftline.deploy.advice import collect as module
from driftline.deploy.advice.collect import NoAdviceError, Wanted
from driftline.deploy.local.deployments import Held
from driftline.schemas.deployment import DeploymentSettings
from driftline.schemas.deployment_state import next_state
from driftline.schemas.ids import id_of
from driftline.schemas.settings import Settings
from driftline.schemas.window import WindowResult
from driftline.streams.advice.pairs import Labels, Said

ROWS = 1_000
JULY, AUGUST = 1_372_636_800_000, 1_375_315_200_000


class World:
    """A month of a model whose score says how sure it is of `no`; the candidate is surer."""

    def __init__(self, folder: Path) -> None:
        draw = np.random.default_rng(5)
        self.truth = draw.integers(0, 2, ROWS)
        self.names = [f"b{at}" for at in range(ROWS)]
        self.ids = np.frombuffer(b"".join(map(id_of, self.names)), np.uint8).reshape(-1, 16)
        self.live, better = (
            (1 / (1 + np.exp(2 * self.truth - 1 + draw.normal(0, spread, ROWS)))).round(3)
            for spread in (3.0, 0.5)
        )
        self.table = folder / "refit.csv"
        pd.DataFrame({"id": self.names, "score": better}).to_csv(self.table, index=False)
        self.settings = DeploymentSettings(deployment="flights")
        self.labels = ROWS
        reference = batch(
            scores={"score": draw.random(ROWS)},
            predicted=["no", "yes"] * (ROWS // 2),
            numbers={"x": draw.random(ROWS)},
        )
        self.profile = profile_of(reference, provenance="held-out", has_times=False)

    def window(self) -> WindowResult:
        """Return the month as the accuracy worker says it."""
        return WindowResult(
            "flights", "1", "champion", "1M", JULY, AUGUST, "", 0, 0, final=True, restated=False, rows=ROWS,
            watermark_ms=AUGUST, counts=b"", computed_at_ms=0, figures=[], role="accuracy", labels=self.labels,
        )  # fmt: skip

    def held(self) -> Held:
        """Return the settings in force."""
        state = next_state(None, self.settings, changed_by="ana", now_ms=1)
        return Held({"flights": (state,)})

    def said(self) -> Said:
        """Return the live model's answers."""
        times = np.full(ROWS, JULY, np.int64) + np.arange(ROWS) % 30 * 86_400_000
        return Said(self.ids, times, {"score": self.live}, (), np.full(ROWS, -1, np.int64))

    def told(self) -> Labels:
        """Return the truth."""
        return Labels(self.ids, np.full(ROWS, np.nan), ("no", "yes"), self.truth.astype(np.int64))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Put a world where Kafka and ClickHouse would be."""
    made = World(tmp_path)
    monkeypatch.setattr(module, "results", lambda *_: [made.window()])
    monkeypatch.setattr(module, "held", lambda _: made.held())
    monkeypatch.setattr(module, "published_profile", lambda *_: made.profile)
    monkeypatch.setattr(module.answers, "share_of", lambda *_: 1)
    monkeypatch.setattr(module.answers, "said", lambda *_: made.said())
    monkeypatch.setattr(module.answers, "labels", lambda *_: made.told())
    return made


def collect(world: World) -> float:
    """Return the gain in AUC that is found."""
    (advice,) = module.collect(Settings(), "flights", Wanted(candidate=world.table))
    return next(one.value for one in advice.gains if one.metric == "auc")


def test_a_gain_is_that_of_the_class_that_settings_call_positive(world: World) -> None:
    """Without a word the score would be that of `yes`, and the better candidate the worse one."""
    assert collect(world) < -0.1
    world.settings = DeploymentSettings(deployment="flights", positive_class="no")
    assert collect(world) > 0.1


def test_without_labels_nothing_is_compared_and_that_is_said(world: World) -> None:
    """It is the labels that lack, not the ids of the table."""
    world.labels = 0
    with pytest.raises(
        NoAdviceError, match=r"refit.csv cannot be compared: no final window of 1M of 'flights' in what"
    ):
        collect(world)


def test_a_table_of_other_ids_shows_one_of_them(world: World) -> None:
    """A zero that was lost on the way is seen so."""
    pd.DataFrame({"id": [7, 8], "score": [0.5, 0.5]}).to_csv(world.table, index=False)
    with pytest.raises(
        NoAdviceError, match="has no id of a labelled window of 'flights', its first is '7': give the"
    ):
        collect(world)
