"""Runbooks: where the pages of docs/runbooks/ are served."""

from __future__ import annotations

from typing import Final

RUNBOOKS: Final = "https://driftline.example.org/runbooks"
"""What rules and dashboards link to, unless an installation names an address of its own."""
