"""That patients were forgotten, of a collection: when and how many, never who."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FORGOTTEN = "forgotten.json"


def forgotten_notes(collection: Path) -> tuple[str, ...]:
    """What an ingest tells where patients were forgotten: their files would be read again.

    Examples
    --------
    >>> forgotten_notes(Path("nowhere"))
    ()
    """
    try:
        told: list[dict[str, Any]] = json.loads((collection / FORGOTTEN).read_text("utf-8"))
        count = sum(record["n_patients"] for record in told)
    except (OSError, ValueError, KeyError, TypeError):
        return ()
    return (f"patients forgotten here: {count}; their files, where they still lie in a source, "
            "are read again",)  # fmt: skip
