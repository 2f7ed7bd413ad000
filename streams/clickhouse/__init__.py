"""ClickHouse: the client, the numbered migrations, the rows of each table, and what is read from them."""
