"""Build: the rules as the files that Prometheus loads, the same byte by byte for the same list."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from driftline.deploy.rules.groups import groups
from driftline.deploy.rules.objective import Objective
from driftline.deploy.rules.rule import Alert, span
from driftline.deploy.rules.yaml_text import yaml_text
from driftline.schemas.runbooks import RUNBOOKS

if TYPE_CHECKING:
    from driftline.deploy.rules.rule import Group, Record

OBJECT: Final = "prometheus-rule.yaml"
MADE: Final = "Built by 'driftline rules build' from deploy/rules/; change the code, then run it."


@dataclass(frozen=True)
class Wishes:
    """What an installation may choose.

    Attributes:
        runbooks: the address below which the pages of docs/runbooks/ are served.
        objective: what callers of deployments may count on.
        most_hold_s: no alert is held longer than this before it fires, s; None holds each as it is written.
    """

    runbooks: str = RUNBOOKS
    objective: Objective = field(default_factory=Objective)
    most_hold_s: int | None = None


def rule_files(wishes: Wishes) -> dict[str, str]:
    """Give the text of each file of rules by its name: one a group."""
    return {f"{one.name}.yml": _text(one, wishes) for one in groups(wishes.objective)}


def rule_object(wishes: Wishes) -> str:
    """Give the text of one PrometheusRule with all groups, as the Prometheus operator takes it."""
    made: dict[str, Any] = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "driftline"},
        "spec": {"groups": [_group(one, wishes) for one in groups(wishes.objective)]},
    }
    return yaml_text(made, MADE)


def _text(group: Group, wishes: Wishes) -> str:
    return yaml_text({"groups": [_group(group, wishes)]}, MADE, group.purpose)


def _group(group: Group, wishes: Wishes) -> dict[str, Any]:
    made: dict[str, Any] = {"name": group.name}
    if group.interval_s is not None:
        made["interval"] = span(group.interval_s)
    made["rules"] = [_alert(one, wishes) if isinstance(one, Alert) else _record(one) for one in group.rules]
    return made


def _record(one: Record) -> dict[str, Any]:
    return {"record": one.name, "expr": one.expr, **({"labels": dict(one.labels)} if one.labels else {})}


def _alert(one: Alert, wishes: Wishes) -> dict[str, Any]:
    hold_s = one.hold_s if wishes.most_hold_s is None else min(one.hold_s, wishes.most_hold_s)
    return {
        "alert": one.name,
        "expr": one.expr,
        **({"for": span(hold_s)} if hold_s else {}),
        "labels": {"severity": one.severity.value, **one.labels},
        "annotations": {
            "summary": one.summary,
            "look": one.look,
            "runbook_url": f"{wishes.runbooks.rstrip('/')}/{one.name}.html",
        },
    }
