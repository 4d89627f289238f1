"""What the labels of a study are: classes, grades in order, several findings a scan, or numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from latentdx.collection.labels import is_number
from latentdx.core.errors import StopError

TaskName = Literal["classes", "ordinal", "multi-label", "regression"]
TaskChoice = Literal["auto", "classes", "ordinal", "multi-label", "regression"]

SEPARATOR = ";"
"""Between the findings of one scan."""

NONE = "none"
"""What a scan without any finding is called where its source has no word for it."""

MOST_NUMBERS = 20
"""Different numbers that may be names of classes; more must be said to be so."""


def resolve_task(labels: Iterable[str | None], choice: TaskChoice = "auto") -> TaskName:
    """The task that is meant by `choice` with these labels (None or ``""``: unlabelled).

    ``auto`` is ``multi-label`` where a scan has several findings, ``classes`` else: grades and
    numbers look like classes, and have to be asked for. Raises `StopError` ``E_TASK`` where a scan
    has several labels in a task of one label a scan, and for ``auto`` where labels are more than 20
    different numbers: names, or what is to be predicted?

    Examples
    --------
    >>> resolve_task(["benign", "malignant", None])
    'classes'
    """
    labels = list(labels)
    example = next((label for label in labels if label and SEPARATOR in label), None)
    found: TaskName = "multi-label" if example else "classes"
    task: TaskName = found if choice == "auto" else choice
    if choice == "auto" and (count := _different_numbers(labels)) > MOST_NUMBERS:
        fix = "give --task regression to predict them, or --task classes where they are names"
        raise StopError("E_TASK", f"the labels are {count} different numbers", fix=fix)
    if example and task != "multi-label":
        found_text = f"{example!r} is several labels of one scan, in the task {task!r}"
        fix = "give one label a scan, or leave --task out"
        raise StopError("E_TASK", found_text, fix=fix)
    return task


def _different_numbers(labels: Iterable[str | None]) -> int:
    """How many different labels there are where all are numbers, else 0."""
    found = {label for label in labels if label}
    return len(found) if all(is_number(label) for label in found) else 0
