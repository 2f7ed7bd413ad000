"""Board: where the board listens, as whom it asks ClickHouse, and how it bounds itself, a section of the settings."""

from __future__ import annotations

from typing import Annotated

import msgspec

from driftline.schemas.settings_kinds import File, FreePort, Text

Meta = msgspec.Meta


class Board(msgspec.Struct, frozen=True, kw_only=True):
    """Where the board listens, as whom it asks ClickHouse, and how it bounds itself."""

    host: Text = "127.0.0.1"
    port: FreePort = 0
    names: Annotated[
        str,
        Meta(
            description="names of hosts, separated by commas, or nothing",
            pattern=r"\A([A-Za-z0-9.:\[\]-]{1,253}( *, *[A-Za-z0-9.:\[\]-]{1,253})*)?\Z",
        ),
    ] = ""
    token_file: File = ""
    clickhouse_user: Annotated[
        str,
        Meta(
            description="at most 100 printable characters, or nothing (that of the section clickhouse)",
            pattern=r"\A[ -~]{0,100}\Z",
        ),
    ] = ""
    clickhouse_password_file: File = ""
    query_seconds: Annotated[float, Meta(description="a number of seconds, 0.1 to 300", ge=0.1, le=300)] = (
        10.0
    )
    queries: Annotated[int, Meta(description="a number of queries, 1 to 64", ge=1, le=64)] = 4
    waiting: Annotated[int, Meta(description="a number of queries, 0 to 10,000", ge=0, le=10_000)] = 64
    answer_bytes: Annotated[int, Meta(description="a number of bytes, 65,536 or more", ge=1 << 16)] = 32 << 20

    runbooks: Annotated[
        str,
        Meta(
            description="an address that begins with http:// or https://, or nothing",
            pattern=r"\A(https?://[^\s\x00-\x1f]+)?\Z",
        ),
    ] = ""

    @property
    def called(self) -> tuple[str, ...]:
        """The names in `names`, lower case."""
        return tuple(name.strip().lower() for name in self.names.split(",") if name.strip())
