"""Window results for tests of alerts: one figure a subject, with the verdict that is wanted."""

from __future__ import annotations

from typing import Any

from driftline.schemas.deployment import DeploymentSettings
from driftline.schemas.deployment_state import DeploymentState, defaults
from driftline.schemas.window import Figure, WindowResult

DAY_MS = 86_400_000


def window(day: int, version: int, verdicts: dict[str, str], **over: Any) -> WindowResult:
    """The final result of a day; `verdicts` are those of drift, by feature."""
    figures = [
        Figure(
            "drift", name, "psi", 0.3, floor=0.25, verdict=verdict, reason=f"{name} is {verdict}.", rows=500
        )
        for name, verdict in verdicts.items()
    ]
    given: dict[str, Any] = {
        "deployment": "shop",
        "model_version": "3",
        "slot": "champion",
        "resolution": "1d",
        "window_start_ms": day * DAY_MS,
        "window_end_ms": (day + 1) * DAY_MS,
        "profile_digest": "",
        "partition": 0,
        "absorbed": version,
        "final": True,
        "restated": False,
        "rows": 500,
        "watermark_ms": (day + 1) * DAY_MS,
        "counts": b"",
        "computed_at_ms": 5,
        "figures": figures,
    }
    return WindowResult(**{**given, **over})


class OneBook:
    """Settings that hold for every deployment, always."""

    def __init__(self, **given: Any) -> None:
        self.given = given

    def latest(self, deployment: str) -> DeploymentState:
        """The newest revision."""
        if not self.given:
            return defaults(deployment)
        settings = DeploymentSettings(deployment=deployment, **self.given)
        return DeploymentState(
            deployment=deployment,
            revision=1,
            since_ms=0,
            changed_by="ana",
            changed_at_ms=0,
            settings=settings,
        )

    def state(self, deployment: str, _at_ms: int) -> DeploymentState:
        """The revision in force."""
        return self.latest(deployment)
