"""A person's own table (parquet, CSV, Arrow) made into profiles and predictions."""
