"""The archive: how the log becomes rows in ClickHouse exactly once. Pure parts first, the two edges last.

place → lane → block → duplicates → steps are pure or take their edges as arguments; kafka and keeper are the edges;
`driftline.streams.processors.archive` is the worker.
"""
