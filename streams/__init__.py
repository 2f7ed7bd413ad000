"""What watches: statistics, windows and their state, stream processors, and the archive in ClickHouse."""
