"""The profiles of a replay: each version's own, or one for all; at their own resolutions, or at one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.streams.processors.profile_book import ProfileBook
from driftline.streams.windows.book import WIDTHS_MS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from driftline.schemas.profile import Profile
    from driftline.streams.processors.settings_book import SettingsBook
    from driftline.streams.windows.layout import Layout


class ReplayProfiles(ProfileBook):
    """A book that asks no topic.

    Args:
        profiles: the published ones.
        instead: the one that every version is measured against; None for each its own.
        resolution: the only one to count, or to merge days for; None for those of the profile.
        declared: what people want for each deployment; None for the defaults.
    """

    def __init__(
        self,
        profiles: Iterable[Profile],
        instead: Profile | None = None,
        resolution: str | None = None,
        declared: SettingsBook | None = None,
    ) -> None:
        super().__init__(lambda: None, declared=declared, keeps_truth=True)
        self._instead = None if instead is None else (instead.deployment, instead.model_version)
        self._resolution = resolution
        for profile in [*profiles, *([] if instead is None else [instead])]:
            self.on_record(None, profile.to_bytes(), 0)

    def layout(self, deployment: str, version: str) -> Layout:
        """The layout of a version, or the one for all."""
        return super().layout(*(self._instead or (deployment, version)))

    def resolutions(self, deployment: str, version: str) -> tuple[str, ...]:
        """The resolutions to count."""
        if self._resolution is not None:
            return (self._resolution if self._resolution in WIDTHS_MS else "1d",)
        return super().resolutions(*(self._instead or (deployment, version)))
