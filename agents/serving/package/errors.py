"""Errors of packages that a person sees: one sentence each."""

from __future__ import annotations

from driftline.schemas.errors import DriftlineError


class PackageError(DriftlineError):
    """A package that cannot be made, kept or read."""


class BrokenPackageError(PackageError):
    """A package that is not what its manifest says, or holds what no package may hold."""


class UntrustedPackageError(PackageError):
    """A package that nobody signed who may, or that is another one than was asked for."""


class StoreError(PackageError):
    """A store that cannot be reached, or does not take or give an object."""


class LoadError(PackageError):
    """A model that does not load, or is another one than its manifest describes."""


class InputError(PackageError):
    """Rows that a model cannot be asked with."""


def said(error: BaseException, most: int = 300) -> str:
    """What a library says of an error, for the end of a sentence: one line, cut; its name where it says nothing."""
    return " ".join(str(error).split())[:most] or type(error).__name__
