"""The settings a worker judges with: topic `deployment-state`, followed, and looked up by deployment and event time."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from driftline.schemas.deployment_state import DeploymentState, defaults, in_force, known_after, read_record
from driftline.schemas.refusal import Refused

if TYPE_CHECKING:
    from driftline.schemas.deployment import Baseline, DeploymentSettings

logger = logging.getLogger(__name__)


class SettingsBook:
    """Settings by deployment and event time.

    Bounded by what the compacted topic holds: the last `KEPT` revisions of each deployment. One thread takes in
    records (`TopicTail`), any others look up.
    """

    def __init__(self) -> None:
        self._revisions: dict[str, tuple[DeploymentState, ...]] = {}

    def on_record(self, key: bytes | None, value: bytes | None, _record_time_ms: int) -> None:
        """Take in a record of `deployment-state`; a tombstone brings the defaults back.

        One that cannot be read is said in the log and left out: what was in force stays so.
        """
        name = (key or b"").decode("utf-8", "replace")
        if value is None:
            self._revisions.pop(name, None)
            return
        try:
            read = read_record(key, value)
        except Refused as refused:
            logger.warning("settings of %r are left out: %s", name, refused)
            return
        # A new tuple each time: who looks up meanwhile sees the old one or the new one, whole.
        self._revisions[name] = known_after(self._revisions.get(name, ()), read)

    def state(self, deployment: str, at_ms: int) -> DeploymentState:
        """The revision in force at an event time, ms since 1970: for a window its end; 0 when there is none."""
        return in_force(self._revisions.get(deployment, ()), at_ms) or defaults(deployment)

    def settings(self, deployment: str, at_ms: int) -> DeploymentSettings:
        """The settings in force at an event time, ms since 1970; the defaults when nobody published any."""
        return self.state(deployment, at_ms).settings

    def latest(self, deployment: str) -> DeploymentState:
        """The newest revision, whenever it holds: for who owns a deployment, not for how a window is judged."""
        held = self._revisions.get(deployment)
        return held[-1] if held else defaults(deployment)

    def newest(self) -> list[DeploymentState]:
        """The newest revision of each deployment that settings were published of."""
        return [held[-1] for held in tuple(self._revisions.values()) if held]

    def asks_for(self, deployment: str, baseline: Baseline) -> bool:
        """Whether any revision that is kept asks for a baseline besides the profile."""
        return any(baseline in state.settings.baselines for state in self._revisions.get(deployment, ()))
