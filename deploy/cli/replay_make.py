"""A replay as a person asks for it: checked, made from the source that reaches back far enough, published."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from driftline.deploy.cli.replay_floors import FlooredSettings, floors_of
from driftline.deploy.cli.windows_line import utc
from driftline.deploy.local.compacted import records
from driftline.deploy.tables.errors import suggestion, unknown_deployment
from driftline.deploy.tables.profile_files import load_profile
from driftline.deploy.tables.shelf import NoProfileError, published
from driftline.schemas.names import name_fault
from driftline.schemas.topics import STATES
from driftline.streams.clickhouse import reads
from driftline.streams.clickhouse.errors import ClickHouseAwayError
from driftline.streams.processors.join_store import Store
from driftline.streams.processors.terms_book import TermsBook
from driftline.streams.replay.books import ReplayProfiles
from driftline.streams.replay.errors import ReplayError
from driftline.streams.replay.log import Log
from driftline.streams.replay.run import LIVE, Request, Summary, results
from driftline.streams.replay.stored import Stored
from driftline.streams.windows.results import encoded
from driftline.streams.windows.rules import Rules

if TYPE_CHECKING:
    from driftline.schemas.floors import Floor
    from driftline.schemas.profile import Profile
    from driftline.schemas.settings import Settings
    from driftline.schemas.window import WindowResult
    from driftline.streams.processors.settings_book import SettingsBook

Bar = Callable[[str, int], AbstractContextManager[Callable[[int], None]]]
ARCHIVE_WAIT_S: Final = 60.0
"""How long a restatement from the archive waits for it to hold what the log holds."""
NO_TIME_MS: Final = 4_102_444_800_000
"""2100: a span that no record belongs to."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The words of the command; times are ms since 1970, UTC."""

    deployment: str
    since_ms: int
    until_ms: int
    profile: str | None
    resolution: str | None
    floors: str | None
    source: str | None
    run: str


@dataclass(frozen=True, slots=True)
class Done:
    """What was made."""

    asked: Asked
    source: str
    predictions: int
    labels: int
    by_role: Counter[str]
    seconds: float

    @property
    def windows(self) -> int:
        """Results published."""
        return self.by_role.total()

    def as_json(self) -> dict[str, object]:
        """The object of `--json`."""
        return {
            "deployment": self.asked.deployment,
            "run": self.asked.run,
            "source": self.source,
            "since": utc(self.asked.since_ms),
            "until": utc(self.asked.until_ms),
            "predictions": self.predictions,
            "labels": self.labels,
            "windows": {role: self.by_role[role] for role in ("drift", "accuracy")},
            "seconds": self.seconds,
        }


def check(asked: Asked) -> None:
    """Refuse what needs no stack to be seen as wrong.

    Raises:
        ReplayError: the times, the name or the floors make no sense.
    """
    if asked.since_ms >= asked.until_ms:
        raise ReplayError(
            f"since {utc(asked.since_ms)} is not before until {utc(asked.until_ms)}: give a later --until"
        )
    fault = name_fault(asked.run)
    if fault is not None:
        raise ReplayError(f"--name {asked.run!r} cannot name a run: {fault}")
    floors_of(asked.floors)


def make(settings: Settings, asked: Asked, now_ms: int, bar: Bar) -> Done:
    """Count again and publish.

    Args:
        settings: addresses, and the rules of the workers.
        asked: what `check` has passed.
        now_ms: wall-clock time, ms.
        bar: shows a progress bar, given what is read and how much.

    Raises:
        ReplayError: the deployment or the profile is not known, or nothing reaches back so far.
        DriftlineError: Kafka or ClickHouse is away.
    """
    began = time.monotonic()
    known = published(settings)
    mine = [profile for (of, _), profile in known.items() if of == asked.deployment]
    _check_known(settings, asked.deployment, {of for of, _ in known})
    declared = _declared(settings, floors_of(asked.floors))
    profiles = ReplayProfiles(mine, _instead(asked, known), asked.resolution, declared)
    worker = settings.worker
    rules = Rules(out_of_orderness_ms=worker.out_of_orderness_ms, hot_windows=worker.label_windows)
    request = Request(asked.deployment, asked.since_ms, asked.until_ms, asked.run, asked.resolution, rules)
    summary, topic = Summary(), settings.kafka.topic_prefix + "windows"
    source = _opened(settings, asked, now_ms)
    with source, bar(f"{source.name}: {asked.deployment}", source.total) as told:
        book = TermsBook(profiles, declared)
        found = results(source, request, profiles, book, now_ms, summary, told)
        Store(settings).send((topic, None, asked.deployment.encode(), value) for value in _records(found))
    if not summary.windows:
        what = "holds a closed window of" if asked.run == LIVE else "has predictions of"
        raise ReplayError(
            f"nothing between {utc(asked.since_ms)} and {utc(asked.until_ms)} {what} deployment {asked.deployment!r}: "
            "give a wider span, only windows that lie wholly inside are counted"
        )
    return Done(
        asked, source.name, summary.predictions, summary.labels, summary.windows, time.monotonic() - began
    )


def _declared(settings: Settings, floors: dict[str, Floor]) -> SettingsBook:
    """Read what people declared of deployments, as it is now."""
    book = FlooredSettings(floors)
    for message in records(settings.kafka, STATES):
        book.on_record(message.key(), message.value(), message.timestamp()[1])
    return book


def _records(found: Iterator[WindowResult]) -> Iterator[bytes]:
    return (encoded(result) for result in found)


def _instead(asked: Asked, known: dict[tuple[str, str], Profile]) -> Profile | None:
    """The profile that was named: a published version of the deployment, else a file."""
    if asked.profile is None:
        return None
    version = known.get((asked.deployment, asked.profile))
    if version is not None:
        return version
    path = Path(asked.profile)
    if _is_there(path):
        found = load_profile(path)
        if found.deployment != asked.deployment:
            raise NoProfileError(
                f"--profile {asked.profile!r} is of deployment {found.deployment!r}, not {asked.deployment!r}: build "
                "one for it with 'driftline profile build'"
            )
        return found
    versions = [version for of, version in known if of == asked.deployment]
    hint = suggestion(asked.profile, versions) if versions else "none is published"
    raise NoProfileError(
        f"--profile {asked.profile[:200]!r} is neither a published version of deployment {asked.deployment!r} nor a "
        f"file: {hint}"
    )


def _is_there(path: Path) -> bool:
    """Whether there is such a file; a name that no file can have is none."""
    try:
        return path.exists()
    except OSError:
        return False


def _check_known(settings: Settings, deployment: str, with_profile: set[str]) -> None:
    """Refuse a deployment that nobody has heard of; with ClickHouse away, only what is read can tell."""
    if deployment in with_profile:
        return
    try:
        known = with_profile | set(reads.deployments(settings))
    except ClickHouseAwayError:
        return
    if deployment not in known:
        raise ReplayError(unknown_deployment(deployment, sorted(known)))


def _opened(settings: Settings, asked: Asked, now_ms: int) -> Log | Stored:
    """Open the source that was named, or the log while it goes back far enough, else the archive."""
    span = (asked.since_ms, asked.until_ms)
    if asked.source != "archive":
        log = Log(settings, asked.deployment, span)
        try:
            log.open()
        except ReplayError:
            log.close()
            if asked.source == "kafka":
                raise
        else:
            return log
    if asked.run == LIVE:
        _wait_for_archive(settings, asked.deployment)
    stored = Stored(settings, asked.deployment, span)
    stored.open(now_ms)
    return stored


def _wait_for_archive(settings: Settings, deployment: str) -> None:
    """Wait until the archive holds what the log holds now: what takes the place of a live window must know as much."""
    with Log(settings, deployment, (NO_TIME_MS, NO_TIME_MS)) as log:
        log.open()
        wanted = log.reached
    topics = ("predictions", "labels")

    def reached() -> bool:
        return all(
            reads.positions(settings, topic).get(log.partition, -1) >= offset
            for topic, offset in zip(topics, wanted, strict=True)
        )

    reads.wait_until(reached, seconds=ARCHIVE_WAIT_S, what="that the archive holds what the log holds")
