"""What the card says of the record of seen scans that a bundle takes along."""

from __future__ import annotations

from latentdx.collection.seen_record import SeenRecord
from latentdx.report.card import count


def seen_section(seen: SeenRecord | None) -> str:
    """The section of a card; ``""`` where nothing was noted.

    Examples
    --------
    >>> names = {"labelled": ["ab"], "unlabelled": ["ab", "cd"]}
    >>> record = SeenRecord.of(b"k" * 32, "", **names, complete=True)
    >>> "pictures and patients: 1 with their labels" in seen_section(record)
    True
    """
    if seen is None:
        return ""
    told = (
        "## What it has seen\n\n"
        "The bundle notes pictures and patients: "
        f"{count(len(seen.labelled))} with their labels (train, tune and calibrate), "
        f"{count(len(seen.unlabelled))} without (the encoder's). `latentdx evaluate` tells by them "
        "how many scans of a collection were among these. They are hashes under the key of the "
        "pseudonyms: whoever does not hold it learns nothing from them, nor can ask."
    )
    if seen.complete:
        return told
    return f"{told} What the weights that the encoder began from had seen is not all recorded."
