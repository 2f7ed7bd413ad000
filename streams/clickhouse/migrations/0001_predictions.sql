-- Every prediction, complete enough to recompute any window of it exactly.
--
-- Numeric values stand in two arrays by the width they travelled in, so that a tie stays a tie. Names of a batch's
-- columns are one JSON list, the same for every row of it: as Array(LowCardinality(String)) they halved the speed of
-- an insert (1.0 against 2.1 million rows a second, 20 features). The ALIAS columns give them as arrays again.
-- nulls and wrong name the columns in which this row had no number, or a value of another type: a NaN that is named in
-- neither is a NaN that the model was given. A category without a value is NULL.
-- ts is event time, arrived the broker's time of the record: retention counts from arrival.
CREATE TABLE IF NOT EXISTS predictions
(
    deployment     LowCardinality(String),
    model_version  LowCardinality(String),
    slot           LowCardinality(String),
    ts             DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    prediction_id  FixedString(16) CODEC(ZSTD(1)),
    original_id    Nullable(String) CODEC(ZSTD(1)),
    float_names    LowCardinality(String),
    floats         Array(Float32) CODEC(ZSTD(1)),
    double_names   LowCardinality(String),
    doubles        Array(Float64) CODEC(ZSTD(1)),
    category_names LowCardinality(String),
    categories     Array(LowCardinality(Nullable(String))),
    nulls          Array(LowCardinality(String)),
    wrong          Array(LowCardinality(String)),
    score_names    LowCardinality(String),
    scores         Array(Float64) CODEC(ZSTD(1)),
    predicted      LowCardinality(Nullable(String)),
    segment_names  LowCardinality(String),
    segments       Array(LowCardinality(Nullable(String))),
    latency_ms     Nullable(Float32) CODEC(ZSTD(1)),
    status         LowCardinality(Nullable(String)),
    src_partition  UInt32 CODEC(Delta, ZSTD(1)),
    src_offset     UInt64 CODEC(Delta, ZSTD(1)),
    arrived        DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    id             UUID ALIAS UUIDNumToString(prediction_id),
    float_list     Array(String) ALIAS JSONExtract(float_names, 'Array(String)'),
    double_list    Array(String) ALIAS JSONExtract(double_names, 'Array(String)'),
    category_list  Array(String) ALIAS JSONExtract(category_names, 'Array(String)'),
    score_list     Array(String) ALIAS JSONExtract(score_names, 'Array(String)'),
    segment_list   Array(String) ALIAS JSONExtract(segment_names, 'Array(String)'),
    INDEX prediction_id_bloom prediction_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(ts)
ORDER BY (deployment, ts)
SETTINGS non_replicated_deduplication_window = 20000, ttl_only_drop_parts = 1;

-- Where a prediction lies, by its id alone: late labels and `trace` start here. Small granules, because each look-up
-- reads whole ones, but no smaller and no ZSTD: 512 rows with ZSTD took twice the time of the insert. Months of arrival,
-- so that one block makes one part however far its event times reach.
CREATE TABLE IF NOT EXISTS prediction_lookup
(
    deployment    LowCardinality(String),
    prediction_id FixedString(16),
    ts            DateTime64(3, 'UTC') CODEC(Delta, LZ4),
    model_version LowCardinality(String),
    slot          LowCardinality(String),
    src_partition UInt32 CODEC(Delta, LZ4),
    src_offset    UInt64 CODEC(Delta, LZ4),
    arrived       DateTime64(3, 'UTC') CODEC(Delta, LZ4),
    id            UUID ALIAS UUIDNumToString(prediction_id)
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(arrived)
ORDER BY (deployment, prediction_id)
SETTINGS non_replicated_deduplication_window = 20000, index_granularity = 2048, ttl_only_drop_parts = 1;
