"""The join: predictions and labels that meet in memory, and what their pairs add up to. Time is an argument, no I/O."""
