"""The board: a page of the list of panels, and the small server that asks ClickHouse for it."""
