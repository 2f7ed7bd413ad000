-- Refused messages, whole, one row for each (topic, partition, offset) where the message first lay.
--
-- A retry is judged under those same three, so a message that is still bad stays one row with one more attempt, and a
-- message that was taken turns its row into `mended`. version is the broker's time of the record last judged.
CREATE TABLE IF NOT EXISTS dead_letters
(
    topic       LowCardinality(String),
    partition   UInt32,
    offset      Int64,
    state       LowCardinality(String),
    reason      LowCardinality(String),
    detail      String CODEC(ZSTD(1)),
    attempts    UInt32,
    record_time Nullable(DateTime64(3, 'UTC')),
    refused_at  DateTime64(3, 'UTC'),
    refused_by  String,
    key         Nullable(String),
    value       Nullable(String) CODEC(ZSTD(3)),
    headers     Array(Tuple(name String, value Nullable(String))),
    arrived     DateTime64(3, 'UTC'),
    version     UInt64
)
ENGINE = ReplacingMergeTree(version)
ORDER BY (topic, partition, offset)
SETTINGS non_replicated_deduplication_window = 20000;

CREATE VIEW IF NOT EXISTS dead_letters_now AS SELECT * FROM dead_letters FINAL;
