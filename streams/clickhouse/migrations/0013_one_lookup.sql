-- The look-up table and the lineage held the same of every prediction, each with an insert and merges of its own. Now there
-- is one table, `prediction_lookup`, kept as long as the lineage; `lineage` is a view of it, and `kept_lookup` is it without
-- what retention takes from `predictions`.
-- Rows are to stay for years from now on, those that lie there too: 2,557 days, until the settings are applied. Only what
-- parts know of their age is written anew.
ALTER TABLE prediction_lookup MODIFY SETTING materialize_ttl_recalculate_only = 1, ttl_only_drop_parts = 1;

ALTER TABLE prediction_lookup MODIFY TTL toDateTime(arrived) + toIntervalDay(2557)
    SETTINGS materialize_ttl_after_modify = 1, mutations_sync = 1;

-- Only for a second run after a crash between the two statements that put the view in its place.
CREATE TABLE IF NOT EXISTS lineage
(
    deployment    LowCardinality(String),
    prediction_id FixedString(16),
    ts            DateTime64(3, 'UTC'),
    model_version LowCardinality(String),
    slot          LowCardinality(String),
    arrived       DateTime64(3, 'UTC')
)
ENGINE = MergeTree
ORDER BY (deployment, prediction_id)
SETTINGS non_replicated_deduplication_window = 20000;

-- What retention took from the look-up table alone. A second run finds it there. Both lie in the order of ids, so that
-- nothing is held in memory.
INSERT INTO prediction_lookup (deployment, prediction_id, ts, model_version, slot, arrived)
SELECT made.deployment, made.prediction_id, made.ts, made.model_version, made.slot, made.arrived
FROM lineage AS made
ANY LEFT JOIN prediction_lookup AS held
    ON made.deployment = held.deployment AND made.prediction_id = held.prediction_id AND made.ts = held.ts
    AND made.model_version = held.model_version AND made.slot = held.slot AND made.arrived = held.arrived
WHERE isNull(held.prediction_id)
SETTINGS join_use_nulls = 1, join_algorithm = 'full_sorting_merge', max_bytes_before_external_sort = 268435456;

DROP TABLE IF EXISTS lineage;

-- Which version made each prediction, kept for years after its inputs are gone. An event time further back than a spool
-- may lie (7 days) is a replay's, which goes by its arrival.
CREATE OR REPLACE VIEW lineage AS
SELECT
    deployment,
    prediction_id,
    ts,
    model_version,
    slot,
    arrived,
    UUIDNumToString(prediction_id) AS id,
    if(arrived - ts > 604800, arrived, ts) AS served_at
FROM prediction_lookup;

-- Predictions whose inputs are kept; how long that is stands in the settings, which put their own bound in place of this.
CREATE OR REPLACE VIEW kept_lookup AS
SELECT deployment, prediction_id, ts, model_version, slot, src_partition, src_offset, arrived
FROM prediction_lookup;

-- Nobody looks for an id in `predictions` but where the look-up table says that it lies: its filter only cost inserts and
-- merges.
ALTER TABLE predictions DROP INDEX IF EXISTS prediction_id_bloom;
