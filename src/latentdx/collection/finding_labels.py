"""Labels of several findings: how they are written, and the one form in which they are stored.

Stored are sorted names, each once, `;` between them. A scan with none of them bears one negative
word alone, such as ``normal`` or ``No Finding``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from latentdx.collection.labels import check_spelling, is_negative
from latentdx.collection.tasks import NONE, SEPARATOR
from latentdx.core.errors import StopError


def check_findings(
    labels: Sequence[str | None],
    *,
    label_map: Mapping[str, str] | None = None,
    for_training: bool = True,
) -> list[str | None]:
    """Labels of several findings in their stored form; None means unlabelled.

    Spelling is checked and `label_map` applied finding by finding. Of several negative words the
    commonest is kept. Raises `StopError`: ``E_FINDINGS`` (an empty finding, or a negative word
    beside a finding), those of `check_spelling`, and, `for_training`, ``E_NO_LABELS`` and
    ``E_ONE_CLASS``.

    Examples
    --------
    >>> check_findings(["mass; effusion", "effusion", "No Finding", None])
    ['effusion;mass', 'effusion', 'No Finding', None]
    """
    held = [None if label is None else _parts(label) for label in labels]
    spelt = check_spelling([name for names in held for name in names or ()], label_map=label_map)
    flat = iter([str(name) for name in spelt])
    named = [None if names is None else {next(flat) for _ in names} for names in held]
    for names in named:
        _check_contradiction(names or set())
    negative = negative_of([SEPARATOR.join(names) for names in named if names])
    found = [None if names is None else _joined(names, negative) for names in named]
    if for_training:
        _check_counts(found)
    return found


def negative_of(labels: Iterable[str]) -> str:
    """The commonest negative word among labels, the first by name of equally common ones.

    Examples
    --------
    >>> negative_of(["normal", "effusion", "normal", "none"]), negative_of(["effusion"])
    ('normal', 'none')
    """
    counts = Counter(label for label in labels if label and is_negative(label))
    return min(counts, key=lambda name: (-counts[name], name)) if counts else NONE


def _parts(label: str) -> list[str]:
    names = [name.strip() for name in label.split(SEPARATOR)]
    if not all(names):
        text = f"the label {label!r} has an empty finding"
        raise StopError("E_FINDINGS", text, fix="write the findings of a scan as first;second")
    return names


def _check_contradiction(names: set[str]) -> None:
    word = next((name for name in sorted(names) if is_negative(name)), None)
    if word is not None and len(names) > 1:
        other = min(names - {word})
        fix = f"correct it; where {word!r} is a finding itself, rename it by --label-map"
        text = f"a scan is labelled {word!r}, which means none, and {other!r}"
        raise StopError("E_FINDINGS", text, fix=fix)


def _joined(names: set[str], negative: str) -> str:
    return negative if any(map(is_negative, names)) else SEPARATOR.join(sorted(names))


def _check_counts(labels: Sequence[str | None]) -> None:
    counts = Counter(label for label in labels if label is not None)
    if not counts:
        fix = "give --labels CSV"
        raise StopError("E_NO_LABELS", "no scan has a label", fix=fix)
    if len(counts) == 1:
        (only,) = counts
        text = f"all {counts[only]} labelled scans are {only!r}"
        raise StopError("E_ONE_CLASS", text, fix="add scans that differ in their findings")
