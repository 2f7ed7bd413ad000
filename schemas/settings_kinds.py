"""Kinds of values that several sections of the settings have; a description ends the sentence about a wrong one."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

Text = Annotated[str, Meta(description="a text that is not empty", min_length=1)]
# No path holds the character 0: what opens files raises another error for it than for a file that is not there.
File = Annotated[str, Meta(description="the path of a file, or nothing", pattern=r"\A[^\x00]*\Z")]
FreePort = Annotated[int, Meta(description="a port, 0 to 65,535; 0 takes a free one", ge=0, le=65_535)]
Bytes = Annotated[int, Meta(description="a number of bytes, 1,048,576 (1 MiB) or more", ge=1 << 20)]
