"""Imported first in a worker process: it has no use for a network, nor for the time it costs.

pydicom imports ``requests``, where it is installed, only to download its test files.
"""

from __future__ import annotations

import sys

sys.modules["requests"] = None  # type: ignore[assignment]
