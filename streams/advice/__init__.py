"""Advice on retraining: from final windows and the gain of a candidate to one of three words with its reasons."""
