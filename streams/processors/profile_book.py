"""The profiles a worker counts and judges with: the compacted topic, followed, and looked up by version or digest."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.schemas.profile import Profile
from driftline.schemas.refusal import Refused
from driftline.streams.processors.settings_book import SettingsBook
from driftline.streams.windows.book import WIDTHS_MS
from driftline.streams.windows.held import PaneKey, StateError
from driftline.streams.windows.judge import DEFAULT
from driftline.streams.windows.layout import Layout
from driftline.streams.windows.null_tails import cut_tails

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftline.schemas.deployment_state import DeploymentState

logger = logging.getLogger(__name__)

DEFAULT_RESOLUTIONS: Final = ("5m", "1h", "1d")
"""What a version without a profile is counted at."""

ASK_AGAIN_S: Final = 30.0
"""How long a version that was not found is taken as unknown before the topic is asked again."""


REFRESH_S: Final = 1.0
"""How often at most the topic is asked, however many unknown versions come: asking stops the worker meanwhile."""

NEVER_S: Final = float("-inf")

MAX_UNKNOWN: Final = 10_000
"""Unknown versions remembered; past it the one met longest ago is forgotten, and asked for again."""


class ProfileBook:
    """Profiles and their layouts, by (deployment, version) and by digest.

    Bounded by what the compacted topic holds: a profile a version. A profile that was replaced stays known by its
    digest until the process ends, for windows that were counted with it.

    Args:
        refresh: called when an unknown version is met; must return within two seconds, having read the topic to
            its end if that was possible.
        clock_s: a monotonic clock, seconds.
        declared: what people want for each deployment; None for a worker that knows no settings.
        keeps_truth: whether what performance is held against is kept.
        keeps_drift: whether segments, and hours of the week where settings ask for them, are kept.
    """

    def __init__(
        self,
        refresh: Callable[[], object],
        clock_s: Callable[[], float] = time.monotonic,
        *,
        declared: SettingsBook | None = None,
        keeps_truth: bool = False,
        keeps_drift: bool = True,
    ) -> None:
        self._refresh, self._clock_s = refresh, clock_s
        self._keeps_truth, self._keeps_drift = keeps_truth, keeps_drift
        self._declared = declared or SettingsBook()
        self._layouts: dict[tuple[str, str], Layout] = {}
        self._by_digest: dict[str, tuple[Profile, Layout]] = {}
        self._folded: dict[str, tuple[str, ...]] = {}
        self._unknown: dict[tuple[str, str], tuple[float, Layout]] = {}
        self._asked_at = NEVER_S

    def on_record(self, key: bytes | None, value: bytes | None, _record_time_ms: int) -> None:
        """Take in a record of `profiles`; bytes that are no profile are said in the log and left out."""
        if value is None:
            return
        try:
            profile = Profile.from_bytes(value)
        except Refused as refused:
            logger.warning("profile %r is left out: %s", key, refused)
            return
        kept = _kept(profile, with_hours=self._wants_hours(profile.deployment))
        kept = kept if self._keeps_drift else replace(kept, splits=())
        kept = kept if self._keeps_truth else replace(kept, truth=None)
        digest = profile.digest()
        known = self._by_digest.get(digest)
        layout = Layout(kept, digest) if known is None else known[1]
        self._by_digest[layout.digest] = (kept, layout)
        folded = tuple(width for width in WIDTHS_MS if width in profile.resolutions)
        self._folded[layout.digest] = folded or ("1d",)
        self._layouts[profile.deployment, profile.model_version] = layout
        self._unknown.pop((profile.deployment, profile.model_version), None)

    def layout(self, deployment: str, version: str) -> Layout:
        """The layout of a version; one that counts rows and health alone while there is no profile."""
        return self._find(deployment, version)

    def layout_of(self, key: PaneKey, digest: str) -> Layout:
        """The layout of an older window.

        Raises:
            StateError: the profile it was counted with is gone from the topic.
        """
        if digest in self._by_digest:
            return self._by_digest[digest][1]
        rows_only = Layout.without_profile(key.deployment, key.version)
        if digest == rows_only.digest:
            return rows_only
        self._refresh()
        if digest in self._by_digest:
            return self._by_digest[digest][1]
        message = (
            f"a window of {key.deployment!r} {key.version!r} was counted with profile {digest[:12]}, which topic "
            "profiles does not hold any more: publish that profile again"
        )
        raise StateError(message)

    def profile_of(self, digest: str) -> Profile | None:
        """The profile of that digest."""
        found = self._by_digest.get(digest)
        return found[0] if found else None

    def resolutions(self, deployment: str, version: str) -> tuple[str, ...]:
        """The resolutions to fold, narrowest first: those of the newest settings, else of the profile, no merges.

        A profile that names merges alone has its days counted.
        """
        wanted = self._declared.latest(deployment).settings.resolutions
        if wanted:
            return tuple(width for width in WIDTHS_MS if width in wanted)
        digest = self._find(deployment, version).digest
        if digest not in self._by_digest:
            return DEFAULT_RESOLUTIONS
        return self._folded[digest]

    def state(self, deployment: str, at_ms: int) -> DeploymentState:
        """The settings in force at an event time, ms since 1970: for a window its end."""
        return self._declared.state(deployment, at_ms)

    def lacks_hours(self, deployment: str) -> bool:
        """Whether settings ask for the reference's hours of the week, which were let go when its profile was read."""
        if not self._wants_hours(deployment):
            return False
        digests = [layout.digest for (name, _), layout in tuple(self._layouts.items()) if name == deployment]
        kept = [profile for digest in digests if (profile := self.profile_of(digest)) is not None]
        return any(
            len(profile.day_starts_ms) and not any(column.hour_of_week.size for column in profile.columns)
            for profile in kept
        )

    def _wants_hours(self, deployment: str) -> bool:
        return self._keeps_drift and self._declared.asks_for(deployment, "same-hour-of-week")

    def _find(self, deployment: str, version: str) -> Layout:
        name = (deployment, version)
        layout = self._layouts.get(name)
        if layout is not None:
            return layout
        met = self._unknown.pop(name) if name in self._unknown else (NEVER_S, Layout.without_profile(*name))
        ask_at, rows_only = met
        now = self._clock_s()
        if now >= ask_at:
            ask_at = now + ASK_AGAIN_S if self._ask(now) else now + REFRESH_S
        if len(self._unknown) >= MAX_UNKNOWN:
            del self._unknown[next(iter(self._unknown))]
        self._unknown[name] = (ask_at, rows_only)
        return self._layouts.get(name) or rows_only

    def _ask(self, now: float) -> bool:
        """Read the topic to its end, unless that was done just now."""
        if now - self._asked_at < REFRESH_S:
            return False
        self._refresh()
        self._asked_at = self._clock_s()
        return True


def _kept(profile: Profile, *, with_hours: bool) -> Profile:
    """Give what windows are counted and judged by; a worker holds hundreds, and a profile comes as a megabyte."""
    columns = [cut_tails(column.without_history().narrowed(), DEFAULT.level) for column in profile.columns]
    splits = tuple(replace(split, counts=split.counts.astype(np.int32)) for split in profile.splits)
    if with_hours:
        columns = [
            replace(kept, hour_of_week=column.hour_of_week.astype(np.int32))
            for kept, column in zip(columns, profile.columns, strict=True)
        ]
    return replace(profile, columns=tuple(columns), splits=splits)
