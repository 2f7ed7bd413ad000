"""Schemes of every model version, from the profiles as they are published."""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.streams.join.scheme import scheme_of

if TYPE_CHECKING:
    from driftline.streams.join.scheme import Scheme
    from driftline.streams.processors.profile_book import ProfileBook


class SchemeBook:
    """Looks schemes up in a book of profiles; a scheme is worked out once a profile.

    Args:
        profiles: what the compacted topic holds.
    """

    def __init__(self, profiles: ProfileBook) -> None:
        self._profiles = profiles
        self._known: dict[str, Scheme] = {}

    def scheme(self, deployment: str, version: str) -> Scheme | None:
        """How answers of a version are held against truth; None while no profile is known."""
        digest = self._profiles.layout(deployment, version).digest
        found = self._known.get(digest)
        if found is None:
            profile = self._profiles.profile_of(digest)
            if profile is None:
                return None
            found = self._known[digest] = scheme_of(profile, digest)
        return found

    def resolutions(self, deployment: str, version: str) -> tuple[str, ...]:
        """The resolutions to count, narrowest first."""
        return self._profiles.resolutions(deployment, version)
