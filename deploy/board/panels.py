"""Every dashboard, in the order in which they are offered: the one list that all pictures come from."""

from __future__ import annotations

from typing import Final

from driftline.deploy.board.change import CHANGE
from driftline.deploy.board.deployment import DEPLOYMENT_BOARD
from driftline.deploy.board.fairness import FAIRNESS
from driftline.deploy.board.feature import FEATURE_BOARD
from driftline.deploy.board.fleet import FLEET
from driftline.deploy.board.panel import Dashboard
from driftline.deploy.board.pipeline import PIPELINE

DASHBOARDS: Final[tuple[Dashboard, ...]] = (
    FLEET,
    DEPLOYMENT_BOARD,
    FEATURE_BOARD,
    FAIRNESS,
    CHANGE,
    PIPELINE,
)
