"""Grafana: the list of panels as dashboards of Grafana 11 and later, for its ClickHouse data source.

Parameters of a panel's statement become what the plugin's back end and Grafana's variables put there: times its macros,
which alerts can use too, choices quoted lists. The files are the same byte by byte for the same list.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from grafana_foundation_sdk.builders import common, dashboard, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common as common_model
from grafana_foundation_sdk.models import dashboard as model

from driftline.deploy.board.annotations import ANNOTATIONS, Annotation
from driftline.deploy.board.panel import VERDICT_CODES, Dashboard, Kind, Level, Panel, Variable
from driftline.deploy.board.query import DATASOURCE, DATASOURCE_UID, TABLE_FORMAT, Query, grafana_sql
from driftline.schemas.runbooks import RUNBOOKS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Builder = timeseries.Panel | statetimeline.Panel | stat.Panel | table.Panel

_COLORS: Final[Mapping[Level, str]] = {Level.OK: "green", Level.WARN: "orange", Level.FAIL: "red"}
# "Inconclusive" is no shade of good or bad; where nothing is drawn there is no data.
_VERDICT_COLORS: Final[Mapping[str, str]] = {
    "ok": "green",
    "inconclusive": "purple",
    "warn": "orange",
    "fail": "red",
    "no verdict": "text",
}


def build(board: Dashboard, runbooks: str = RUNBOOKS) -> str:
    """Give the dashboard as the JSON that Grafana provisions.

    Args:
        board: what to build.
        runbooks: where the pages of docs/runbooks/ are served, which each panel links to.
    """
    made = (
        dashboard.Dashboard(board.title)
        .uid(f"driftline-{board.name}")
        .description(board.purpose)
        .tags(["driftline"])
        .timezone("utc")
        .time("now-30d", "now")
        .refresh("1m")
        .link(
            dashboard.DashboardLink("driftline")
            .type(model.DashboardLinkType.DASHBOARDS)
            .tags(["driftline"])
            .as_dropdown(as_dropdown=True)
            .include_vars(include_vars=True)
            .keep_time(keep_time=True)
        )
    )
    for variable in board.variables:
        made = made.with_variable(_variable(variable))
    if any(variable.name == "deployment" for variable in board.variables):
        for annotation in ANNOTATIONS:
            made = made.annotation(_annotation(annotation))
    for number, panel in enumerate(board.panels, start=1):
        made = made.with_panel(_panel(panel, number).links([_runbook(board.runbook(panel, runbooks))]))
    encoded = json.loads(JSONEncoder(sort_keys=True).encode(made.build()))
    return json.dumps(encoded, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _source() -> model.DataSourceRef:
    return model.DataSourceRef(type_val=DATASOURCE, uid=DATASOURCE_UID)


def _variable(variable: Variable) -> dashboard.QueryVariable:
    query: dict[str, object] = {
        "editorType": "sql",
        "rawSql": grafana_sql(variable.sql),
        "format": TABLE_FORMAT,
        "refId": variable.name,
    }
    made = (
        dashboard.QueryVariable(variable.name)
        .label(variable.label)
        .datasource(_source())
        .query(query)
        .refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(model.VariableSort.DISABLED)
        .multi(variable.many)
        .include_all(variable.many)
    )
    if not variable.many:
        return made
    every = model.VariableOption(selected=True, text="All", value="$__all")
    return made.current(every)


def _annotation(annotation: Annotation) -> dashboard.AnnotationQuery:
    query = Query(grafana_sql(annotation.sql), Kind.TABLE)
    target: Any = query.to_json()
    made = dashboard.AnnotationQuery().name(annotation.name).datasource(_source())
    made = made.enable(enable=True).icon_color(annotation.color)
    # The SDK's target is that of Grafana's own store of annotations; the plugin takes a query.
    made._internal.target = target  # noqa: SLF001
    return made


def _panel(panel: Panel, number: int) -> Builder:
    builder = _KINDS[panel.kind]()
    builder = (
        builder.id(number)
        .title(panel.title)
        .description(panel.question)
        .datasource(_source())
        .span(panel.width)
        .height(panel.height)
        .no_value(panel.empty)
        .with_target(Query(grafana_sql(panel.sql), panel.kind))
    )
    if panel.unit:
        builder = builder.unit(panel.unit)
    if panel.thresholds:
        builder = builder.thresholds(
            dashboard.ThresholdsConfig()
            .mode(model.ThresholdsMode.ABSOLUTE)
            .steps(
                [
                    model.Threshold(value=threshold.value, color=_COLORS[threshold.level])
                    for threshold in panel.thresholds
                ]
            )
        )
    for column, target in panel.links.items():
        builder = builder.override_by_name(column, [_link(column, target)])
    return builder


def _runbook(url: str) -> dashboard.DashboardLink:
    made = dashboard.DashboardLink("Runbook").type(model.DashboardLinkType.LINK)
    return made.tooltip("What it means and what to do").url(url).target_blank(target_blank=True)


def _series() -> timeseries.Panel:
    legend = (
        common.VizLegendOptions()
        .display_mode(common_model.LegendDisplayMode.TABLE)
        .placement(common_model.LegendPlacement.BOTTOM)
        .show_legend(show_legend=True)
        .calcs(["lastNotNull", "max"])
    )
    return timeseries.Panel().show_points(common_model.VisibilityMode.AUTO).line_width(1).legend(legend)


def _states() -> statetimeline.Panel:
    return statetimeline.Panel().show_value(common_model.VisibilityMode.NEVER).mappings([_codes()])


def _stat() -> stat.Panel:
    return stat.Panel().text_mode(common_model.BigValueTextMode.VALUE_AND_NAME)


def _table() -> table.Panel:
    return table.Panel().mappings([_words()]).filterable(filterable=True)


def _codes() -> model.ValueMap:
    return model.ValueMap(
        options={
            str(code): model.ValueMappingResult(text=verdict, color=_VERDICT_COLORS[verdict], index=code)
            for verdict, code in VERDICT_CODES.items()
        }
    )


def _words() -> model.ValueMap:
    return model.ValueMap(
        options={
            verdict: model.ValueMappingResult(text=verdict, color=color, index=place)
            for place, (verdict, color) in enumerate(_VERDICT_COLORS.items())
        }
    )


def _link(column: str, target: str) -> model.DynamicConfigValue:
    kept = "" if column == "deployment" else "&${deployment:queryparam}&${version:queryparam}"
    url = f"/d/driftline-{target}?var-{column}=${{__value.raw}}{kept}&${{resolution:queryparam}}&${{__url_time_range}}"
    return model.DynamicConfigValue(
        id_val="links", value=[{"title": f"Open {target}", "url": url, "targetBlank": False}]
    )


_KINDS: Final[Mapping[Kind, Callable[[], Builder]]] = {
    Kind.SERIES: _series,
    Kind.STATES: _states,
    Kind.STAT: _stat,
    Kind.TABLE: _table,
}
