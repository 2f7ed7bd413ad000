"""A replay of some deployments from the log, in a process of its own; prints events and seconds as JSON."""

from __future__ import annotations

import json
import os
import sys
import time

from driftline.deploy.tables.shelf import published
from driftline.schemas.settings import load
from driftline.streams.processors.settings_book import SettingsBook
from driftline.streams.processors.terms_book import TermsBook
from driftline.streams.replay.books import ReplayProfiles
from driftline.streams.replay.log import Log
from driftline.streams.replay.run import Request, Summary, results
from driftline.streams.windows.kernel import warm

SINCE_MS, UNTIL_MS = 1_700_000_000_000, 1_800_000_000_000


def main(names: list[str]) -> None:
    """Replay one after the other; the kernel is loaded and the profiles are read before."""
    settings = load(os.environ, None)
    profiles = ReplayProfiles(published(settings).values())
    book = TermsBook(profiles, SettingsBook())
    warm()
    events = 0
    began = time.perf_counter()
    for name in names:
        summary, request = Summary(), Request(name, SINCE_MS, UNTIL_MS, "bench")
        with Log(settings, name, (SINCE_MS, UNTIL_MS)) as log:
            log.open()
            for result in results(log, request, profiles, book, time.time_ns() // 1_000_000, summary):
                result.to_bytes()
        events += summary.predictions
    print(json.dumps({"events": events, "seconds": time.perf_counter() - began}))


main(sys.argv[1:])
