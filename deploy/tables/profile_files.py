"""Profiles as files: where `profile build` puts one and `profile publish` finds it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from driftline.deploy.tables.errors import TableError
from driftline.schemas.codec import HEADER_BYTES, max_bytes, written_by
from driftline.schemas.profile import Profile
from driftline.schemas.refusal import Refused
from driftline.schemas.whole import read_whole

if TYPE_CHECKING:
    from driftline.schemas.settings import Settings


def profile_path(settings: Settings, deployment: str, version: str) -> Path:
    """Give the place of a version's profile in the local data directory."""
    # A version may hold a "/"; quoting keeps two versions from one file.
    name = f"{quote(deployment, safe=' ')}-{quote(version, safe=' ')}.profile"
    return Path(settings.local.data_dir) / "profiles" / name


def newest_profile(settings: Settings) -> Path:
    """Give the profile in the local data directory that was built last.

    Raises:
        TableError: none was built here.

    """
    folder = Path(settings.local.data_dir) / "profiles"
    built = sorted(folder.glob("*.profile"), key=lambda path: path.stat().st_mtime_ns)
    if not built:
        raise TableError(f"no profile was built in {folder}: make one with 'driftline profile build'")
    return built[-1]


def save_profile(profile: Profile, path: Path) -> None:
    """Write a profile, whole or not at all.

    Raises:
        TableError: the file cannot be written, or the profile is too large to travel.

    """
    try:
        content = profile.to_bytes()
    except Refused as refused:
        raise TableError(
            f"the profile of {profile.deployment} {profile.model_version} cannot travel ({refused.detail}): "
            "leave columns out by a mapping (--columns)"
        ) from refused
    try:
        if path.exists() and not path.is_file():
            # The file is put in the place of what has its name: a device would be gone.
            raise TableError(f"{path} is no regular file: choose another place with --out")
        if path.exists() and not _is_profile(path):
            raise TableError(
                f"{path} is there and no profile, and would be lost: choose another place with --out"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".part")
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        raise TableError(
            f"{path} cannot be written ({error.strerror}): choose another place with --out"
        ) from error


def _is_profile(path: Path) -> bool:
    """Whether what lies there may be written over: a profile, of whatever schema, or an empty file."""
    with path.open("rb") as file:
        head = file.read(HEADER_BYTES)
    try:
        return not head or written_by(head).record_type == "Profile"
    except Refused:
        return False


def load_profile(path: Path) -> Profile:
    """Read a profile file.

    Raises:
        TableError: there is none, or it is no profile.

    """
    try:
        return Profile.from_bytes(read_whole(path, max_bytes("Profile")))
    except FileNotFoundError:
        raise TableError(f"there is no profile file {path}: make it with 'driftline profile build'") from None
    except OSError as error:
        raise TableError(f"{path} cannot be read ({error.strerror}): check the path") from error
    except Refused as refused:
        raise TableError(
            f"{path} is no profile ({refused}): make one with 'driftline profile build'"
        ) from refused
