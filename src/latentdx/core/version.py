"""The version of this program, as pip knows it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

try:
    VERSION = version("latentdx")
except PackageNotFoundError:  # run from a source tree that is not installed
    VERSION = "0+unknown"
