"""Who may do what: users, ACLs and grants for any Kafka and ClickHouse, and the files that hold the passwords."""
