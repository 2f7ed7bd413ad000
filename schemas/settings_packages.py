"""Packages: where model packages are kept and cached, a section of the settings."""

from __future__ import annotations

from typing import Annotated

import msgspec

from driftline.schemas.settings_kinds import Bytes
from driftline.schemas.sources import Secret

Meta = msgspec.Meta


class Packages(msgspec.Struct, frozen=True, kw_only=True):
    """Where model packages are kept, who may read them there, and what a copy here may take."""

    store: Annotated[
        str,
        Meta(
            description="the path of a folder, or s3://BUCKET/PREFIX, or nothing",
            pattern=r"\A(s3://[a-z0-9][a-z0-9.-]{1,62}(/[A-Za-z0-9._/-]{0,200})?|(?!s3:)[^\x00-\x1f]{0,4000})\Z",
        ),
    ] = ""
    endpoint: Annotated[
        str,
        Meta(
            description="an address that begins with http:// or https://, or nothing",
            pattern=r"\A(https?://(\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9._-]{1,253})"
            r"(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?"
            r"(/[A-Za-z0-9._~%/-]{0,2000})?)?\Z",
        ),
    ] = ""
    region: Annotated[
        str, Meta(description="a name of letters, digits, '-' and '_'", pattern=r"\A[A-Za-z0-9_-]{1,100}\Z")
    ] = "us-east-1"
    access_key: Annotated[
        str,
        Meta(
            description="a key id without spaces and ends of lines, or nothing", pattern=r"\A[!-~]{0,1000}\Z"
        ),
    ] = ""
    secret_key: Annotated[Secret, Meta(description="a secret key, or nothing")] = Secret("")
    cache_dir: Annotated[str, Meta(description="the path of a folder", pattern=r"\A[^\x00]+\Z")] = (
        ".driftline/packages"
    )
    cache_bytes: Bytes = 32 << 30
    trusted_types: Annotated[
        str,
        Meta(
            description="full names of Python types, separated by commas, or nothing",
            pattern=r"\A[A-Za-z_][\w.]*( *, *[A-Za-z_][\w.]*)*\Z|\A\Z",
        ),
    ] = ""

    @property
    def trusted(self) -> tuple[str, ...]:
        """The names in `trusted_types`."""
        return tuple(name.strip() for name in self.trusted_types.split(",") if name.strip())
