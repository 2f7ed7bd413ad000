"""Serve: how the serving agent listens, bounds itself and keeps its state, a section of the settings."""

from __future__ import annotations

from typing import Annotated

import msgspec

from driftline.schemas.settings_kinds import Bytes, File, FreePort, Text

Meta = msgspec.Meta
Seconds = Annotated[float, Meta(description="a number of seconds above 0, at most 3,600", gt=0, le=3_600)]
Wait = Annotated[float, Meta(description="a number of seconds, 0 to 3,600", ge=0, le=3_600)]


class Serve(msgspec.Struct, frozen=True, kw_only=True):
    """How the serving agent listens, bounds itself and keeps its state."""

    host: Text = "127.0.0.1"
    port: FreePort = 8000
    metrics_port: Annotated[int, Meta(description="a port, 1 to 65,535, or 0 for none", ge=0, le=65_535)] = 0
    instance: Annotated[
        str,
        Meta(
            description="at most 80 letters, digits, dots, dashes and underscores, or nothing (the host's name)",
            pattern=r"\A([A-Za-z0-9][A-Za-z0-9._-]{0,79})?\Z",
        ),
    ] = ""
    processes: Annotated[int, Meta(description="a number of processes, 1 to 64", ge=1, le=64)] = 1
    key: File = ""
    state_dir: Text = ".driftline/serve"
    deployments: Annotated[
        str,
        Meta(
            description="names of deployments, separated by commas, or nothing (all that the key is for)",
            pattern=r"\A([A-Za-z0-9][A-Za-z0-9._-]{0,99}( *, *[A-Za-z0-9][A-Za-z0-9._-]{0,99})*)?\Z",
        ),
    ] = ""
    tokens: File = ""
    upstream: Annotated[
        str,
        Meta(
            description="an address that begins with http:// or https://, or nothing",
            pattern=r"\A(https?://[!-~]{1,2000})?\Z",
        ),
    ] = ""
    threads: Annotated[int, Meta(description="a number of threads, 1 to 256", ge=1, le=256)] = 4
    waiting: Annotated[int, Meta(description="a number of requests, 0 to 100,000", ge=0, le=100_000)] = 256
    shadow_waiting: Annotated[
        int, Meta(description="a number of requests, 0 to 100,000", ge=0, le=100_000)
    ] = 256
    connections: Annotated[
        int, Meta(description="a number of connections, 1 to 100,000", ge=1, le=100_000)
    ] = 4_096
    request_rows: Annotated[
        int, Meta(description="a number of rows, 1 to 10,000,000", ge=1, le=10_000_000)
    ] = 100_000
    request_seconds: Seconds = 10.0
    canary_seconds: Seconds = 2.0
    canary_failures: Annotated[int, Meta(description="a number, 1 to 10,000", ge=1, le=10_000)] = 5
    inline_seconds: Annotated[float, Meta(description="a number of seconds, 0 to 0.001", ge=0, le=0.001)] = (
        0.0005
    )
    body_seconds: Seconds = 30.0
    body_bytes: Bytes = 16 << 20
    bodies_bytes: Bytes = 256 << 20
    drain_seconds: Wait = 5.0
    stop_seconds: Seconds = 30.0
    memory_bytes: Annotated[
        int, Meta(description="a number of bytes, or 0 for what the machine has", ge=0)
    ] = 0
    trial_bytes: Bytes = 4 << 30
    trial_seconds: Seconds = 60.0
    spool_bytes: Bytes = 1 << 30

    @property
    def only(self) -> tuple[str, ...]:
        """The names in `deployments`."""
        return tuple(name.strip() for name in self.deployments.split(",") if name.strip())
