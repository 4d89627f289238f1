"""`processors`: how many cores this process may use."""

from __future__ import annotations

import os


def processors() -> int:
    """At least 1; what a scheduler or container leaves it, not what the machine has.

    Examples
    --------
    >>> processors() >= 1
    True
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
