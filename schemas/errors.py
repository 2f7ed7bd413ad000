"""The one base class of errors that are shown to a person."""

from __future__ import annotations


class DriftlineError(Exception):
    """An error whose text is one sentence: the thing, its value, and what to do about it.

    The command line prints it as one line on stderr and exits with 1.
    """
