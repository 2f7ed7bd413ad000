"""`python -m driftline.deploy.cli` is `driftline`."""

from __future__ import annotations

import sys

from driftline.deploy.cli import main

if __name__ == "__main__":
    sys.exit(main())
