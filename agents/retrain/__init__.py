"""Retraining: a named local command, run once for each advice to retrain; it holds no key of control."""
