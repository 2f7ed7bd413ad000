"""Every group of rules: the one list that files, runbooks and their tests come from."""

from __future__ import annotations

from driftline.deploy.rules.control import CONTROL_GROUP
from driftline.deploy.rules.delivery import DELIVERY_GROUP
from driftline.deploy.rules.objective import Objective
from driftline.deploy.rules.rule import Group
from driftline.deploy.rules.serving import groups as serving_groups
from driftline.deploy.rules.storage import STORAGE_GROUP
from driftline.deploy.rules.workers import WORKERS_GROUP


def groups(objective: Objective | None = None) -> tuple[Group, ...]:
    """Give all groups, with the alerts on an objective (the default one without any)."""
    serving = serving_groups(Objective() if objective is None else objective)
    return (WORKERS_GROUP, STORAGE_GROUP, DELIVERY_GROUP, CONTROL_GROUP, *serving)
