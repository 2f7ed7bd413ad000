-- One row a window record: verdicts and mergeable counts together. The greatest version of a window holds, so every
-- read goes through a view with FINAL, inside a bound on window_start.
-- figures.* are parallel arrays, one element a figure. counts is driftline's own encoding of the counters.
CREATE TABLE IF NOT EXISTS windows
(
    deployment        LowCardinality(String),
    model_version     LowCardinality(String),
    slot              LowCardinality(String),
    resolution        LowCardinality(String),
    run               LowCardinality(String),
    window_start      DateTime64(3, 'UTC'),
    window_end        DateTime64(3, 'UTC'),
    version           UInt64,
    profile_digest    LowCardinality(String),
    settings_revision Int64,
    partition         UInt32,
    absorbed          Int64,
    final             Bool,
    restated          Bool,
    rows              Int64,
    late_rows         Int64,
    watermark         DateTime64(3, 'UTC'),
    figures Nested
    (
        kind           LowCardinality(String),
        feature        LowCardinality(String),
        metric         LowCardinality(String),
        value          Nullable(Float64),
        threshold_null Nullable(Float64),
        floor          Nullable(Float64),
        block          Nullable(Float64),
        verdict        LowCardinality(Nullable(String)),
        reason         LowCardinality(String),
        rows           Int64,
        reference_rows Int64,
        level          Nullable(Float64)
    ),
    counts            String CODEC(ZSTD(1)),
    computed_at       DateTime64(3, 'UTC'),
    src_offset        Int64,
    arrived           DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(window_start)
ORDER BY (deployment, resolution, window_start, model_version, slot, run)
SETTINGS non_replicated_deduplication_window = 20000;

CREATE VIEW IF NOT EXISTS windows_now AS SELECT * FROM windows FINAL;

-- One row a figure, in the words of `driftline windows`.
CREATE VIEW IF NOT EXISTS figures AS
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
    place
FROM
(
    SELECT
        deployment, model_version, slot, run, resolution, window_start, window_end, final, restated,
        windows.rows AS window_rows, late_rows, version, profile_digest, settings_revision, watermark, computed_at,
        figures.kind AS kinds, figures.feature AS features, figures.metric AS metrics, figures.value AS figure_values,
        figures.threshold_null AS nulls, figures.floor AS floors, figures.block AS blocks,
        figures.verdict AS verdicts, figures.reason AS reasons, figures.rows AS rows_of,
        figures.reference_rows AS references, figures.level AS levels
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
    arrayEnumerate(kinds) AS place;
