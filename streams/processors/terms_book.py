"""Terms of every model version, from the profiles and the settings as they are published."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from driftline.streams.join.scheme_of import scheme_of
from driftline.streams.join.terms import Terms
from driftline.streams.join.yardstick import yardstick_of

if TYPE_CHECKING:
    from driftline.schemas.deployment_state import DeploymentState
    from driftline.schemas.profile import Profile
    from driftline.streams.join.yardstick import Yardstick
    from driftline.streams.processors.profile_book import ProfileBook
    from driftline.streams.processors.settings_book import SettingsBook

logger = logging.getLogger(__name__)


class TermsBook:
    """Looks terms up; they are worked out once a profile and revision of settings.

    Bounded as the profiles are: a version without one is not remembered, and a profile that was replaced goes.

    Args:
        profiles: what the compacted topic holds, with truth.
        settings: what people want for each deployment.
    """

    def __init__(self, profiles: ProfileBook, settings: SettingsBook) -> None:
        self._profiles, self._settings = profiles, settings
        self._known: dict[tuple[str, str], tuple[tuple[str, DeploymentState], Terms]] = {}
        self._yardsticks: dict[str, Yardstick | None] = {}

    def terms(self, deployment: str, version: str, at_ms: int) -> Terms:
        """What holds for a version at an event time, ms since 1970: for a window its end."""
        digest = self._profiles.layout(deployment, version).digest
        state = self._settings.state(deployment, at_ms)
        # Not by the revision alone: after a tombstone the first one comes again and says something else.
        of = (digest, state)
        held = self._known.get((deployment, version))
        if held is not None and held[0] == of:
            return held[1]
        profile = self._profiles.profile_of(digest)
        found = Terms(state.settings, state.revision)
        if profile is None:
            return found
        if held is not None and held[0][0] != digest:
            self._yardsticks.pop(held[0][0], None)
        try:
            scheme = scheme_of(profile, digest, state.settings)
            found = found._replace(scheme=scheme, yardstick=self._yardstick(profile, digest))
        except (ValueError, KeyError, IndexError) as error:
            where = f"profile {digest[:12]} of {deployment!r} {version!r}"
            logger.warning("%s cannot be used, labels alone are counted: %s", where, error)
        self._known[deployment, version] = (of, found)
        return found

    def resolutions(self, deployment: str, version: str) -> tuple[str, ...]:
        """The resolutions to count, narrowest first."""
        return self._profiles.resolutions(deployment, version)

    def _yardstick(self, profile: Profile, digest: str) -> Yardstick | None:
        if digest not in self._yardsticks:
            try:
                self._yardsticks[digest] = yardstick_of(profile, scheme_of(profile, digest))
            except (ValueError, KeyError, IndexError) as error:
                logger.warning("the truth of profile %s is left out: %s", digest[:12], error)
                self._yardsticks[digest] = None
        return self._yardsticks[digest]
