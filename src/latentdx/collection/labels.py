"""Labels: misspelt classes are told apart from real ones, and classes are put in order."""

from __future__ import annotations

import difflib
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence, Set

from latentdx.collection.csv_text import NOT_KNOWN
from latentdx.core.errors import StopError

MINIMUM_PATIENTS = 4
"""One patient of each class for each of train, tune, calibrate and test."""

# From surely nothing found to something found that does no harm.
_NEGATIVE = (
    *("normal", "healthy", "control", "controls", "unaffected", "absent", "no", "none", "0"),
    *("false", "neg", "negative", "uninfected", "no_", "benign"),
    *("正常", "健康", "对照", "阴性", "否", "无", "良性"),
)
# What makes of a label the one that says it is not there: non-covid, notumor, unaffected.
_NOT = ("no", "non", "not", "un", "without", "非", "无", "未")
_LOOKALIKES = str.maketrans("аеорсухіѕјοαν", "aeopcyxisjoav")  # Cyrillic and Greek
_ALIKE = 0.8
_RARE_COUNT, _RARE_FRACTION, _MUCH_COMMONER = 3, 0.02, 5


def check_labels(
    labels: Sequence[str | None],
    *,
    label_map: Mapping[str, str] | None = None,
    patients: Sequence[str | None] | None = None,
    minimum: int = MINIMUM_PATIENTS,
) -> list[str | None]:
    """The labels after `label_map`, fit for a classifier; None means unlabelled.

    `patients` (None where not known yet) counts the patients of each class; without it the sizes
    are not checked. Raises `StopError`: ``E_LABEL_MAP`` (it names a label that nothing has),
    ``E_LABEL_TYPO``, ``E_NO_LABELS``, ``E_ONE_CLASS``, ``E_CLASS_SIZE`` (a class with fewer than
    `minimum` patients).

    Examples
    --------
    >>> check_labels(["no", "yes", "Yes", None], label_map={"Yes": "yes"})
    ['no', 'yes', 'yes', None]
    """
    mapped = check_spelling(labels, label_map=label_map)
    counts = Counter(label for label in mapped if label is not None)
    if not counts:
        raise StopError(
            "E_NO_LABELS",
            "no scan has a label",
            fix="sort the scans into one folder a class, or give --labels CSV",
        )
    if len(counts) == 1:
        (only,) = counts
        raise StopError(
            "E_ONE_CLASS",
            f"all {counts[only]} labelled scans are {only!r}",
            fix="a classifier needs scans of at least two classes",
        )
    if patients is not None:
        _check_sizes(mapped, patients, minimum)
    return mapped


def check_spelling(
    labels: Sequence[str | None], *, label_map: Mapping[str, str] | None = None
) -> list[str | None]:
    """The labels after `label_map`, no two classes being one class spelt twice.

    A class is taken for a misspelling where it equals another but for case, spaces or look-alike
    letters, or where it is rare and resembles one that is common. ``{name: name}`` in `label_map`
    says that a class is meant as it is. NaN, NA, N/A and null are no classes, unless so meant.
    Raises `StopError` ``E_LABEL_MAP``, ``E_LABEL_TYPO``.
    """
    label_map = label_map or {}
    mapped = map_labels(labels, label_map)
    counts = Counter(label for label in mapped if label is not None)
    meant = set(label_map.values())
    for name in sorted(counts.keys() - meant):
        if name.strip().casefold() in NOT_KNOWN:
            raise _nothing_known(name, counts[name])
        for other in sorted(counts.keys() - {name}):
            if _is_misspelt(name, other, counts, meant):
                raise _typo(name, other, counts)
    return mapped


def map_labels(labels: Sequence[str | None], label_map: Mapping[str, str]) -> list[str | None]:
    """The labels, those that the map names read as others. Raises `StopError` ``E_LABEL_MAP``."""
    _check_map(label_map, {label for label in labels if label is not None})
    return [None if label is None else label_map.get(label, label) for label in labels]


def order_classes(names: Iterable[str], positive: str | None = None) -> list[str]:
    """Class names, negative first: of two, the second is the positive one.

    Numbers sort by value; words such as normal, no_finding or benign come first, then the denial of
    another name (notumor beside tumor); the rest sorts by name. `positive` puts one class last.
    Raises `StopError` ``E_POSITIVE`` where it is no class.

    Examples
    --------
    >>> order_classes(["PNEUMONIA", "NORMAL"])
    ['NORMAL', 'PNEUMONIA']
    >>> order_classes(["10", "9"])
    ['9', '10']
    """
    found = set(names)
    words = {_word(name) for name in found}
    classes = sorted(found, key=lambda name: (*_rank(name), not _denies(name, words), name))
    if positive is None:
        return classes
    if positive not in classes:
        close = difflib.get_close_matches(positive, classes, n=1, cutoff=0)
        raise StopError(
            "E_POSITIVE",
            f"no class is called {positive!r}",
            fix=f"did you mean {close[0]!r}?" if close else "",
        )
    return [name for name in classes if name != positive] + [positive]


def order_grades(names: Iterable[str], order: Sequence[str] = ()) -> list[str]:
    """Grades in their order: by value where all are numbers, else as `order` lists them.

    Raises `StopError` ``E_TASK`` (fewer than three grades, or names without an `order`),
    ``E_OPTION`` (`order` names others than there are).

    Examples
    --------
    >>> order_grades(["10", "2", "0"]), order_grades(["mild", "no", "ill"], ["no", "mild", "ill"])
    (['0', '2', '10'], ['no', 'mild', 'ill'])
    """
    found = sorted(set(names))
    if len(found) < 3:
        text = f"{len(found)} grades, and two or fewer have no order"
        raise StopError("E_TASK", text, fix="leave --task ordinal out")
    shown = ", ".join(found[:20])
    if order and sorted(order) != found:
        text = f"--order {','.join(order)} does not name each label once; the labels are {shown}"
        raise StopError("E_OPTION", text, fix="name each label, the lowest first")
    if order:
        return list(order)
    if not all(is_number(name) for name in found):
        text = f"the grades {shown} are no numbers"
        raise StopError("E_TASK", text, fix="give their order: --order LOWEST,...,HIGHEST")
    return sorted(found, key=float)


def is_number(name: str) -> bool:
    """Whether a label is a finite number.

    Examples
    --------
    >>> is_number("61.5"), is_number("T2"), is_number("nan")
    (True, False, False)
    """
    try:
        return math.isfinite(float(name))
    except ValueError:
        return False


def _rank(name: str) -> tuple[bool, float, int]:
    return (False, float(name), 0) if is_number(name) else (True, 0.0, _negativity(name))


def is_negative(name: str) -> bool:
    """Whether a label by itself says that nothing was found.

    Examples
    --------
    >>> is_negative("No Finding"), is_negative("nodule")
    (True, False)
    """
    return _negativity(name) < len(_NEGATIVE)


def _negativity(name: str) -> int:
    word = _word(name)
    if word in _NEGATIVE:
        return _NEGATIVE.index(word)
    return _NEGATIVE.index("no_") if word.startswith("no_") else len(_NEGATIVE)


def _word(name: str) -> str:
    return re.sub(r"[\s\-]+", "_", name.strip().casefold())


def _denies(name: str, words: Set[str]) -> bool:
    """Whether a label is another one with a word before it that denies it."""
    word = _word(name)
    denied = (
        word.removeprefix(denial).removeprefix("_") for denial in _NOT if word.startswith(denial)
    )
    return any(other != word and other in words for other in denied)


def _check_map(label_map: Mapping[str, str], found: set[str]) -> None:
    for name in label_map:
        if name not in found:
            names = ", ".join(repr(label) for label in sorted(found)[:20]) or "none"
            text = f"the label map names {name!r}, which no scan is labelled; labels: {names}"
            raise StopError("E_LABEL_MAP", text, fix="correct or leave out --label-map")


def _is_misspelt(name: str, other: str, counts: Counter[str], meant: set[str]) -> bool:
    if _folded(name) == _folded(other):
        # The commoner spelling is the right one; of two equally common ones, the first.
        return other in meant or (counts[other], name) >= (counts[name], other)
    most = max(_RARE_COUNT, _RARE_FRACTION * counts[other])
    if counts[name] > most or counts[other] < _MUCH_COMMONER * counts[name]:
        return False
    first, second = _folded(name), _folded(other)
    if re.sub(r"\d+", "", first) == re.sub(r"\d+", "", second):
        return False
    return difflib.SequenceMatcher(None, first, second, autojunk=False).ratio() >= _ALIKE


def _folded(name: str) -> str:
    text = unicodedata.normalize("NFKC", name).casefold()
    if is_number(text):
        return str(float(text))  # 1, 01 and 1.0
    return " ".join(text.translate(_LOOKALIKES).split())


def _typo(name: str, other: str, counts: Counter[str]) -> StopError:
    return StopError(
        "E_LABEL_TYPO",
        f"the label {name!r} ({counts[name]} scans) looks like {other!r} ({counts[other]} scans)",
        fix=f"correct it, or give --label-map {name!r}={other!r}; "
        f"where it is a class of its own, --label-map {name!r}={name!r}",
    )


def _nothing_known(name: str, count: int) -> StopError:
    return StopError(
        "E_LABEL_TYPO",
        f"the label {name!r} ({count} scans) says that nothing is known",
        fix="leave its cells empty: the scans are unlabelled then; "
        f"where it is a class of its own, --label-map {name!r}={name!r}",
    )


def _check_sizes(
    labels: Sequence[str | None], patients: Sequence[str | None], minimum: int
) -> None:
    by_class: dict[str, set[str]] = {}
    for label, patient in zip(labels, patients, strict=True):
        if label is not None:
            members = by_class.setdefault(label, set())
            if patient is not None:
                members.add(patient)
    for name in sorted(by_class):
        if len(by_class[name]) < minimum:
            raise class_size_error(name, len(by_class[name]), minimum)


def class_size_error(name: str, found: int, minimum: int = MINIMUM_PATIENTS) -> StopError:
    """The error of a class with too few patients for the parts."""
    return StopError(
        "E_CLASS_SIZE",
        f"the class {name!r} has {found} patients; train, tune, calibrate and test need "
        f"{minimum} together, one each",
        fix="add scans of more patients, or leave the class out",
    )
