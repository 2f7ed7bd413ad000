"""The controller: the one writer of audit, states and profiles; what it decides is pure, and its edge is thin."""
