-- A window has one row of what counted it: drift (''), and accuracy, which holds predictions against labels.
ALTER TABLE windows
    ADD COLUMN IF NOT EXISTS role LowCardinality(String),
    ADD COLUMN IF NOT EXISTS labels Int64,
    ADD COLUMN IF NOT EXISTS delay_p50_s Nullable(Float64),
    ADD COLUMN IF NOT EXISTS delay_p90_s Nullable(Float64),
    ADD COLUMN IF NOT EXISTS provisional Bool,
    ADD COLUMN IF NOT EXISTS `figures.low` Array(Nullable(Float64)),
    ADD COLUMN IF NOT EXISTS `figures.high` Array(Nullable(Float64)),
    ADD COLUMN IF NOT EXISTS `figures.interval` Array(LowCardinality(String)),
    ADD COLUMN IF NOT EXISTS `figures.segment` Array(LowCardinality(String)),
    MODIFY ORDER BY (deployment, resolution, window_start, model_version, slot, run, role);

CREATE OR REPLACE VIEW windows_now AS SELECT * FROM windows FINAL;

-- One row a figure, in the words of `driftline windows`. Rows from before this migration lack the new arrays.
CREATE OR REPLACE VIEW figures AS
SELECT
    deployment,
    model_version,
    slot,
    run,
    kind,
    feature,
    metric,
    value,
    threshold_null,
    floor,
    block,
    verdict,
    reason,
    figure_rows AS rows,
    reference_rows,
    level,
    low,
    high,
    interval,
    segment,
    resolution,
    window_start,
    window_end,
    final,
    restated,
    window_rows,
    late_rows,
    version,
    profile_digest,
    settings_revision,
    watermark,
    computed_at,
    if(role = '', 'drift', role) AS role,
    labels,
    if(role = '' OR window_rows = 0, NULL, labels / window_rows) AS coverage,
    delay_p50_s,
    delay_p90_s,
    provisional,
    place
FROM
(
    SELECT
        deployment, model_version, slot, run, resolution, window_start, window_end, final, restated,
        windows.rows AS window_rows, late_rows, version, profile_digest, settings_revision, watermark, computed_at,
        role, labels, delay_p50_s, delay_p90_s, provisional,
        figures.kind AS kinds, figures.feature AS features, figures.metric AS metrics, figures.value AS figure_values,
        figures.threshold_null AS nulls, figures.floor AS floors, figures.block AS blocks,
        figures.verdict AS verdicts, figures.reason AS reasons, figures.rows AS rows_of,
        figures.reference_rows AS references, figures.level AS levels,
        arrayResize(figures.low, length(kinds)) AS lows, arrayResize(figures.high, length(kinds)) AS highs,
        arrayResize(figures.interval, length(kinds)) AS intervals,
        arrayResize(figures.segment, length(kinds)) AS segments_of
    FROM windows FINAL
)
ARRAY JOIN
    kinds AS kind,
    features AS feature,
    metrics AS metric,
    figure_values AS value,
    nulls AS threshold_null,
    floors AS floor,
    blocks AS block,
    verdicts AS verdict,
    reasons AS reason,
    rows_of AS figure_rows,
    references AS reference_rows,
    levels AS level,
    lows AS low,
    highs AS high,
    intervals AS interval,
    segments_of AS segment,
    arrayEnumerate(kinds) AS place;
