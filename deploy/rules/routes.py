"""Routes: the file of Alertmanager: whom each alert reaches by team and importance, and which alert hides another.

It serves the rules of Prometheus and driftline's own alerts of deployments alike: both carry `alertname`, `severity`
and, where they are of a deployment, `deployment`, `team` and `importance`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from driftline.deploy.rules import control, storage, workers
from driftline.deploy.rules.rule import CONTROLLER
from driftline.deploy.rules.teams import PLATFORM
from driftline.deploy.rules.yaml_text import yaml_text
from driftline.streams.alerts.alertmanager import SEVERITIES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.deploy.rules.rule import Alert
    from driftline.deploy.rules.teams import Team, Teams

MADE: Final = "Built by 'driftline rules routes' from a file of teams; change that, then run it."
CRITICAL: Final = f'severity="{SEVERITIES["fail"]}"'
# Of the pipeline itself, whose alerts are of no deployment: what is critical there always wakes.
OURS: Final = ('alertname=~"Driftline.+"', 'deployment=""')
IMPORTANT: Final = 'importance=~"high|critical"'


def routes_file(teams: Teams) -> str:
    """Give the text of alertmanager.yml."""
    everybody = {PLATFORM: teams.platform, **teams.teams}
    document: dict[str, Any] = {
        "route": {
            "receiver": f"{PLATFORM}-ticket",
            # By role too: what joins a group that was told of waits for its interval, not for its first wait.
            "group_by": ["alertname", "deployment", "role"],
            "group_wait": "30s",
            "group_interval": "5m",
            "repeat_interval": "12h",
            "routes": [
                *(
                    {
                        "matchers": [f'team="{_quoted(name)}"'],
                        "receiver": f"{name}-ticket",
                        "routes": [_page(name, CRITICAL, IMPORTANT)],
                    }
                    for name in teams.teams
                ),
                _page(PLATFORM, CRITICAL, IMPORTANT),
                _page(PLATFORM, CRITICAL, *OURS),
            ],
        },
        "inhibit_rules": _hidden(),
        "receivers": [receiver for name, team in everybody.items() for receiver in _receivers(name, team)],
    }
    return yaml_text(document, MADE)


def _page(name: str, *matchers: str) -> dict[str, Any]:
    return {
        "matchers": list(matchers),
        "receiver": f"{name}-page",
        "group_wait": "10s",
        "group_interval": "1m",
        "repeat_interval": "2h",
    }


def _receivers(name: str, team: Team) -> list[dict[str, Any]]:
    said = (("page", team.page), ("ticket", team.ticket))
    return [
        {
            "name": f"{name}-{kind}",
            **(
                {"webhook_configs": [{"url": receiver, "send_resolved": True}]}
                if isinstance(receiver, str)
                else receiver
            ),
        }
        for kind, receiver in said
    ]


def _hidden() -> list[dict[str, Any]]:
    """What says nothing new while something else fires."""
    of_role = (workers.DOWN, workers.NOT_STORED, workers.REFUSED, workers.BEHIND, workers.GROWING)
    missing = workers.MISSING[0]
    return [
        _hides(missing, (*of_role, workers.RESTARTING), ["role"]),
        _hides(workers.BEHIND, (workers.GROWING,), ["role"]),
        # The log of `archive` is all that grows while ClickHouse is away.
        _hides(storage.AWAY, (workers.NOT_STORED, workers.BEHIND, workers.GROWING), ["role"]),
        _hides(storage.FULL, (storage.FILLING,), ["disk"]),
        _hides(control.LEADERLESS, (control.STUCK, control.UNWITNESSED)),
        {
            **_hides(control.LEADERLESS, (workers.DOWN,), ["job"]),
            "target_matchers": _named(workers.DOWN, CONTROLLER),
        },
        # Windows that nobody counts are missed by each deployment.
        {
            "source_matchers": [f'alertname="{missing.name}"', 'role="drift"'],
            "target_matchers": ['alertname="driftline_freshness"'],
        },
        # The page of a budget says what its ticket says.
        {
            "source_matchers": ['alertname=~"Driftline.+Burn"', CRITICAL],
            "target_matchers": ['alertname=~"Driftline.+Burn"', f'severity="{SEVERITIES["warn"]}"'],
            "equal": ["alertname", "deployment"],
        },
    ]


def _hides(source: Alert, targets: Sequence[Alert], equal: Sequence[str] = ()) -> dict[str, Any]:
    names = "|".join(one.name for one in targets)
    return {
        "source_matchers": [f'alertname="{source.name}"'],
        "target_matchers": [f'alertname=~"{names}"'],
        **({"equal": list(equal)} if equal else {}),
    }


def _named(alert: Alert, job: str) -> list[str]:
    return [f'alertname="{alert.name}"', f'job="{job}"']


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
