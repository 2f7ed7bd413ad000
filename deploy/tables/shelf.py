"""The compacted topic `profiles`, and the rule that a version has one reference for ever."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from driftline.deploy.local.compacted import produce, records
from driftline.deploy.tables.errors import TableError, suggestion
from driftline.schemas.profile import Profile
from driftline.schemas.refusal import Refused
from driftline.schemas.topics import PROFILES

if TYPE_CHECKING:
    from driftline.schemas.settings import Settings


class NoProfileError(TableError):
    """No profile is published under that name."""


def publish(settings: Settings, profile: Profile) -> bool:
    """Put a profile on the topic and wait until the broker has it.

    Args:
        settings: where Kafka is.
        profile: the reference of one version.

    Returns:
        True when it was put there, False when the very same profile was there already.

    Raises:
        TableError: the version has another profile.
        BrokerError: Kafka does not take it.

    """
    held = published(settings).get((profile.deployment, profile.model_version))
    if held is not None:
        if held.digest() == profile.digest():
            return False
        raise TableError(
            f"{profile.deployment} {profile.model_version} already has another profile "
            f"({held.digest()[:12]}, this one is {profile.digest()[:12]}): windows counted with two references "
            "cannot be added, so publish this one under a new version"
        )
    produce(
        settings.kafka, PROFILES, f"{profile.deployment}/{profile.model_version}".encode(), profile.to_bytes()
    )
    return True


def published(settings: Settings) -> dict[tuple[str, str], Profile]:
    """Read every published profile: (deployment, version) -> profile.

    Raises:
        BrokerError: Kafka or the topic is not there.

    """
    values: dict[bytes, bytes | None] = {}
    for message in records(settings.kafka, PROFILES):
        values[message.key() or b""] = message.value()
    found: dict[tuple[str, str], Profile] = {}
    for value in values.values():
        # A record that is no profile is the workers' to report; here it hides nothing.
        with contextlib.suppress(Refused):
            if value is not None:
                profile = Profile.from_bytes(value)
                found[profile.deployment, profile.model_version] = profile
    return found


def published_profile(settings: Settings, deployment: str, version: str) -> Profile:
    """Find the published profile of one version.

    Raises:
        NoProfileError: there is none; the sentence names the nearest deployment or version that has one.
        BrokerError: Kafka or the topic is not there.

    """
    profiles = published(settings)
    if (deployment, version) in profiles:
        return profiles[deployment, version]
    if not profiles:
        raise NoProfileError("no profile is published yet: build one with 'driftline profile build TABLE'")
    versions = [name for of, name in profiles if of == deployment]
    if versions:
        hint = suggestion(version, versions)
        raise NoProfileError(
            f"deployment {deployment!r} has no published profile of version {version!r}: {hint}"
        )
    hint = suggestion(deployment, sorted({of for of, _ in profiles}))
    raise NoProfileError(f"no profile is published for deployment {deployment!r}: {hint}")
