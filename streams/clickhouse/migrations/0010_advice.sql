-- Every change of the advice on retraining, of a deployment, model version and slot. One that is sent again after a crash
-- has the id and the content it had, so one row of each id is enough. `record` is all of it, as webhooks get it.
CREATE TABLE IF NOT EXISTS advice
(
    deployment        LowCardinality(String),
    model_version     LowCardinality(String),
    slot              LowCardinality(String),
    id                String,
    resolution        LowCardinality(String),
    window_start      DateTime64(3, 'UTC'),
    window_end        DateTime64(3, 'UTC'),
    advice            LowCardinality(String),
    reasons Nested
    (
        code     LowCardinality(String),
        sentence String
    ),
    since             DateTime64(3, 'UTC'),
    labels            Int64,
    coverage          Nullable(Float64),
    expected_per_year Nullable(Float64),
    settings_revision Int64,
    made_at           DateTime64(3, 'UTC'),
    routes            Array(LowCardinality(String)),
    record            String CODEC(ZSTD(1)),
    src_offset        Int64,
    arrived           DateTime64(3, 'UTC')
)
ENGINE = ReplacingMergeTree
ORDER BY (deployment, model_version, slot, id)
SETTINGS non_replicated_deduplication_window = 20000;
