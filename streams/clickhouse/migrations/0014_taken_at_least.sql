-- The books of each emitter life, closed as far as they can be, one row a topic: what `driftline emitters` says of it
-- (streams/archive/reconcile.py, which a test holds this to). delivered, dropped and spooled count what emitters that
-- took over its spool did too. A life has ended after five minutes of silence, or when a later epoch of its instance was
-- heard three heartbeats after its last word; what it had announced and is nowhere was lost in the crash.
-- missing_batches counts the holes below the last heartbeat's next sequence number. enqueued is what a life is known to have
-- taken: what it said last, and no less than was delivered or stored.
CREATE OR REPLACE VIEW ledger AS
SELECT
    deployment,
    instance,
    epoch,
    topic,
    model_version,
    slot,
    state,
    greatest(announced, delivered, stored_rows) AS enqueued,
    delivered,
    dropped,
    spooled,
    in_flight,
    if(
        state = 'ended',
        greatest(
            least(
                announced - (greatest(delivered, stored_rows) + spooled + dropped),
                in_flight,
                if(buffer_cap_rows = 0, in_flight, buffer_cap_rows)
            ),
            0
        ),
        0
    ) AS lost_in_crash,
    greatest(delivered - stored_rows, 0) AS unarrived,
    closed,
    heartbeat_at,
    silent_ms,
    stored_rows,
    stored_batches,
    missing_batches,
    doubled_batches
FROM
(
    SELECT
        said.deployment AS deployment,
        said.instance AS instance,
        said.epoch AS epoch,
        said.topic AS topic,
        said.model_version AS model_version,
        said.slot AS slot,
        said.enqueued AS announced,
        said.delivered + spool.delivered AS delivered,
        toInt64(arraySum(mapValues(said.dropped))) + spool.dropped AS dropped,
        if(spool.hands = 0, said.spooled, spool.waiting) AS spooled,
        said.in_flight AS in_flight,
        said.buffer_cap_rows AS buffer_cap_rows,
        said.closed AS closed,
        said.heartbeat_at AS heartbeat_at,
        toUnixTimestamp64Milli(said.arrived) AS arrived_ms,
        greatest(toUnixTimestamp64Milli(now64(3)) - arrived_ms, 0) AS silent_ms,
        3 * said.heartbeat_ms AS allowed_ms,
        toUnixTimestamp64Milli(later.heard) - arrived_ms > allowed_ms AS replaced,
        multiIf(
            said.closed, 'closed',
            replaced OR silent_ms > 300000, 'ended',
            silent_ms > allowed_ms, 'silent',
            'alive'
        ) AS state,
        toInt64(stored.rows) AS stored_rows,
        toInt64(stored.batches) AS stored_batches,
        said.next_seq - toInt64(stored.below) AS missing_batches,
        toInt64(stored.doubled) AS doubled_batches
    FROM (SELECT * FROM emitters FINAL) AS said
    LEFT JOIN
    (
        SELECT
            b.topic AS topic,
            b.deployment AS deployment,
            b.instance AS instance,
            b.epoch AS epoch,
            sum(b.rows) AS rows,
            count() AS batches,
            count() - uniqExact(b.seq) AS doubled,
            countIf(b.seq < e.next_seq) AS below
        FROM batches AS b
        INNER JOIN (SELECT deployment, instance, epoch, topic, next_seq FROM emitters FINAL) AS e
            ON b.deployment = e.deployment AND b.instance = e.instance AND b.epoch = e.epoch AND b.topic = e.topic
        GROUP BY topic, deployment, instance, epoch
    ) AS stored
        ON said.deployment = stored.deployment AND said.instance = stored.instance
        AND said.epoch = stored.epoch AND said.topic = stored.topic
    LEFT JOIN
    (
        SELECT
            deployment,
            instance,
            epoch,
            topic,
            count() AS hands,
            argMax(spooled, heartbeat_at) AS waiting,
            sum(delivered) AS delivered,
            toInt64(sum(arraySum(mapValues(dropped)))) AS dropped
        FROM (SELECT * FROM adopted_spools FINAL)
        GROUP BY deployment, instance, epoch, topic
    ) AS spool
        ON said.deployment = spool.deployment AND said.instance = spool.instance
        AND said.epoch = spool.epoch AND said.topic = spool.topic
    LEFT JOIN
    (
        SELECT
            deployment,
            instance,
            epoch,
            max(heard) OVER (
                PARTITION BY deployment, instance ORDER BY epoch
                ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING
            ) AS heard
        FROM
        (
            SELECT deployment, instance, epoch, max(arrived) AS heard
            FROM (SELECT * FROM emitters FINAL)
            GROUP BY deployment, instance, epoch
        )
    ) AS later
        ON said.deployment = later.deployment AND said.instance = later.instance AND said.epoch = later.epoch
);
