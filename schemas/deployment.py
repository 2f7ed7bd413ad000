"""DeploymentSettings: what people want for one deployment, as `driftline deployment apply` takes it.

Each field carries, as its description, what values are allowed: errors print that text. Mathematics and workers
read these objects; files, records and topics are the business of `deployment_file` and `deployment_state`.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias, get_args

import msgspec

from driftline.schemas.floors import METRICS, PRIMARY, Floor, Task

Meta = msgspec.Meta

Name = Annotated[
    str,
    Meta(
        description="a text of 1 to 200 printable characters, without a space at an end",
        pattern=r"\A(?!\s)[^\x00-\x1f\x7f-\x9f\u2028\u2029]{1,200}(?<!\s)\Z",
    ),
]
Value = Annotated[
    str,
    Meta(
        description='a text of 1 to 200 characters in quotes, as in "late" or "1"',
        min_length=1,
        max_length=200,
    ),
]
Counted: TypeAlias = Literal["5m", "1h", "1d"]
Width: TypeAlias = Literal["5m", "1h", "1d", "7d", "1M"]
Baseline: TypeAlias = Literal["previous", "same-hour-of-week"]
Subject: TypeAlias = Literal[
    "drift", "quality", "performance", "estimate", "fairness", "health", "loss", "freshness", "coverage"
]
"""What alerts are about."""

About = Annotated[
    tuple[Subject, ...],
    Meta(description=f"a list of {', '.join(get_args(Subject))}"),
]

PrimaryMetric = Annotated[
    str, Meta(description=f"one of {', '.join(name for name, metric in METRICS.items() if metric.tasks)}")
]

COUNTED: Final = ("5m", "1h", "1d")
HOUR_MS: Final = 3_600_000


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """Who hears of alerts: a route that the alert worker knows, and the least severity that goes there.

    A route is a name. Addresses and keys stay in the settings of the alert worker: this record is read by everybody.
    """

    route: Name
    severity: Annotated[Literal["warn", "fail"], Meta(description="warn or fail")] = "warn"


class AlertRule(msgspec.Struct, frozen=True, kw_only=True):
    """When windows become an alert: `k` bad ones among the last `m` of one resolution, which do not overlap."""

    resolution: Annotated[Width, Meta(description="one of 5m, 1h, 1d, 7d, 1M")] | None = None
    k: Annotated[int, Meta(description="a whole number, 1 to 100, and at most m", ge=1, le=100)] = 2
    m: Annotated[int, Meta(description="a whole number, 1 to 100, and at least k", ge=1, le=100)] = 3


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """A declared segment; `reference` is the value that the others are held against, else the best one is."""

    reference: Value | None = None


class Mute(msgspec.Struct, frozen=True, kw_only=True):
    """A span of event time, [since_ms, until_ms), whose windows page nobody; `about` is empty for all subjects."""

    since_ms: int
    until_ms: int
    reason: Name
    about: About = ()


Share = Annotated[float, Meta(description="a number above 0 and below 1", gt=0, lt=1)]
Weight = Annotated[float, Meta(description="a number, 0 to 1,000,000,000", ge=0, le=1e9)]


class DeploymentSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What people want for one deployment.

    None means: found from the profile or the data. Empty `resolutions` are those of the profile. `floors` holds what
    was given; `floor` adds the defaults.
    """

    deployment: Annotated[
        str,
        Meta(
            description='a name of 1 to 200 printable characters without "/" and without a space at an end',
            min_length=1,
            max_length=200,
        ),
    ]
    owner: Name | None = None
    team: Name | None = None
    runbook: (
        Annotated[
            str,
            Meta(
                description="an address that begins with http:// or https://",
                pattern=r"\Ahttps?://[!-~]{1,2000}\Z",
            ),
        ]
        | None
    ) = None
    importance: Annotated[
        Literal["low", "normal", "high", "critical"], Meta(description="low, normal, high or critical")
    ] = "normal"
    contacts: Annotated[tuple[Contact, ...], Meta(description="tables [[contacts]]")] = ()
    task: Annotated[Task, Meta(description="binary, classes or regression")] | None = None
    positive_class: Value | None = None
    threshold: Annotated[float, Meta(description="a finite number", ge=-1e300, le=1e300)] | None = None
    quantiles: Annotated[dict[str, Share], Meta(description="a table [quantiles]")] = {}
    primary_metric: PrimaryMetric | None = None
    floors: Annotated[dict[str, Floor], Meta(description="tables [floors.METRIC]")] = {}
    minimum_rows: Annotated[
        int, Meta(description="a whole number, 1 to 1,000,000,000", ge=1, le=1_000_000_000)
    ] = 200
    resolutions: Annotated[
        tuple[Counted, ...],
        Meta(description="a list of 5m, 1h, 1d, each once (7d and 1M are made of days by themselves)"),
    ] = ()
    label_horizon_hours: (
        Annotated[float, Meta(description="a number of hours above 0, at most 87,600", gt=0, le=87_600)]
        | None
    ) = None
    baselines: Annotated[
        tuple[Baseline, ...],
        Meta(description="a list of previous, same-hour-of-week, each once"),
    ] = ()
    segments: Annotated[dict[str, Segment], Meta(description="tables [segments.NAME]")] = {}
    feature_importance: Annotated[dict[str, Weight], Meta(description="a table [feature_importance]")] = {}
    alerts: AlertRule = AlertRule()
    mutes: Annotated[tuple[Mute, ...], Meta(description="tables [[mutes]]")] = ()

    @property
    def label_horizon_ms(self) -> int | None:
        """How long after its event a label is waited for; None: as long as the observed delays say."""
        return None if self.label_horizon_hours is None else round(self.label_horizon_hours * HOUR_MS)

    @property
    def alert_resolution(self) -> Width:
        """The width of the windows that alerts look at: the declared one, else days, else the widest counted."""
        if self.alerts.resolution is not None:
            return self.alerts.resolution
        return (
            "1d"
            if not self.resolutions or "1d" in self.resolutions
            else max(self.resolutions, key=COUNTED.index)
        )

    def floor(self, metric: str) -> Floor:
        """The floor of a metric, its default when none was given; raises KeyError for a metric without floors."""
        return self.floors.get(metric) or METRICS[metric].floor

    def primary_metrics(self, task: Task) -> tuple[str, ...]:
        """What a model is judged by: the declared metric, else the defaults of the task that was found."""
        return PRIMARY[task] if self.primary_metric is None else (self.primary_metric,)

    def muted(self, subject: Subject, at_ms: int) -> Mute | None:
        """The mute that holds for a subject at an event time, ms; None when people want to hear of it."""
        for mute in self.mutes:
            if mute.since_ms <= at_ms < mute.until_ms and (not mute.about or subject in mute.about):
                return mute
        return None
