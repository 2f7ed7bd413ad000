"""Replay: windows counted again from the log or from the archive, by the kernels that counted them live."""
