"""Build the documentation as a site in .driftline/site, and see that reading it fetches nothing from elsewhere.

mkdocs warns of a page or heading that a link names and that is not there; a warning fails.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SITE = ROOT / ".driftline" / "site"
# What a browser fetches by itself; a link that a reader may follow is none.
FETCHED = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*\bsrc=["'](?:https?:)?//|<link\b[^>]*\bhref=["'](?:https?:)?//"""
)
IN_STYLE = re.compile(r"""(?:url\(|@import)\s*["']?(?:https?:)?//""")


def main() -> int:
    """Build and look; 1 with a sentence for each thing that is wrong."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--config-file", str(ROOT / "mkdocs.yml")]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if built.returncode:
        print(built.stderr.strip() or built.stdout.strip(), file=sys.stderr)
        return 1
    wrong = fetching(SITE)
    for name in wrong:
        print(f"site: {name} fetches something from elsewhere: carry it in docs/ instead", file=sys.stderr)
    print(f"site: {len(list(SITE.rglob('*.html')))} pages in {SITE.relative_to(ROOT)}")
    return 1 if wrong else 0


def fetching(folder: Path) -> list[str]:
    """Name the pages and styles of a folder that have a browser fetch something from elsewhere."""
    kinds = {".html": FETCHED, ".css": IN_STYLE}
    return [
        str(file.relative_to(folder))
        for file in sorted(folder.rglob("*"))
        if file.suffix in kinds and kinds[file.suffix].search(file.read_text(encoding="utf-8"))
    ]


if __name__ == "__main__":
    sys.exit(main())
