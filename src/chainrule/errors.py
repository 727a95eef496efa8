"""Errors that a caller tells apart from all others. Imports nothing slow."""

from __future__ import annotations


class TrainingError(RuntimeError):
    """Training can't go on, for example because the loss is no longer a number."""


class MissingPackageError(ImportError):
    """A package of one of chainrule's extras is not installed; the message says how to install it."""
