"""Text burned into pixels: what the header says of it, what is found, and what becomes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from latentdx.core.errors import InputError
from latentdx.scans.intensity import to_grey
from latentdx.scans.policy import BurnedIn
from latentdx.scans.text_likeness import Box, find_text

Pixels = NDArray[np.float32]

TAGS = (
    "SOPClassUID", "Modality", "BurnedInAnnotation", "RecognizableVisualFeatures",
    "ConversionType", "ImageType",
)  # fmt: skip
"""What `risk_of` reads of a header."""

RISKY = "W_BURNED_IN"
"""Warning: such files often hold text, and none was found."""
FACE = "W_FACE"
"""Warning: the header says that a person can be recognised in the picture."""

_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_SCREENS = frozenset({"SCREEN SAVE", "SCREENSHOT", "SECONDARY CAPTURE", "CAPTURE"})
_SCANNED = frozenset({"DV", "DI", "DF", "SD", "WSD", "SI", "DRW"})
_MOST_ROUNDS = 4
_STEP = 0.15  # of the whole range, between neighbouring columns: the rim of a stroke
_WORD_GAP = 2.5  # heights of a line between its words, at the most


@dataclass(frozen=True)
class Risk:
    """What a header says of text in the pixels.

    Attributes
    ----------
    level: ``stated`` (BurnedInAnnotation is YES), ``raised`` (ultrasound, secondary captures,
        scanned film, screen shots) or ``low`` (all others; files without a header too).
    reasons: in words, none of them from the file.
    has_face: the header says that visual features allow to recognise a person.
    """

    level: Literal["stated", "raised", "low"] = "low"
    reasons: tuple[str, ...] = ()
    has_face: bool = False


def risk_of(ds: Any) -> Risk:
    """The risk by a header of which at least `TAGS` were read; broken tags say nothing.

    Source: DICOM PS3.3 C.7.6.1.1 (BurnedInAnnotation), C.8.6.1 (ConversionType).
    """
    is_stated = _terms(ds, "BurnedInAnnotation") == ["YES"]
    reasons = ["the header states burned-in annotation"] if is_stated else []
    sop_class = "".join(_terms(ds, "SOPClassUID"))
    if sop_class == _SECONDARY_CAPTURE or sop_class.startswith(_SECONDARY_CAPTURE + "."):
        reasons.append("secondary capture")
    if _terms(ds, "Modality") in (["US"], ["IVUS"], ["BDUS"], ["ES"]):
        reasons.append("ultrasound or endoscopy")
    if _SCANNED.intersection(_terms(ds, "ConversionType")):
        reasons.append("scanned or digitised")
    if _SCREENS.intersection(_terms(ds, "ImageType")):
        reasons.append("screen shot")
    level: Literal["stated", "raised", "low"] = (
        "stated" if is_stated else "raised" if reasons else "low"
    )
    has_face = _terms(ds, "RecognizableVisualFeatures") == ["YES"]
    return Risk(level, tuple(reasons), has_face)


def guard(
    pixels: Pixels, risk: Risk, burned_in: BurnedIn
) -> tuple[Pixels, tuple[str, ...], tuple[str, ...]]:
    """Let an image pass, mask its text, or refuse it; pixels (C, H, W) at native resolution.

    Returns the pixels, what was done to them, and warnings. Text is looked for whatever the header
    says. ``quarantine`` refuses an image in which text is found, ``mask`` fills its boxes; both
    refuse one whose header states text where none is found, since nobody can say where it is.
    ``keep`` looks for nothing.

    Raises `InputError` ``E_BURNED_IN``.

    Examples
    --------
    >>> guard(np.zeros((1, 128, 128), np.float32), Risk(), "quarantine")[1:]
    ((), ())
    """
    warnings = (FACE,) if risk.has_face else ()
    if burned_in == "keep":
        return pixels, (), (*warnings, RISKY) if risk.level == "stated" else warnings
    boxes = text_in(pixels)
    if not boxes:
        if risk.level == "stated":
            raise _refused("the header states text in the pixels, and none was found to mask")
        return pixels, (), (*warnings, RISKY) if risk.level == "raised" else warnings
    if burned_in == "quarantine":
        raise _refused(f"{_count(len(boxes), 'line')} of text in the pixels")
    return *_masked(pixels, boxes), warnings


def text_in(pixels: Pixels) -> list[Box]:
    """Boxes of text in (C, H, W): by the luminance, and else by the strongest colour."""
    if min(pixels.shape[1:]) < 2:
        return []
    found = find_text(to_grey(pixels)[0])
    return found or (find_text(pixels.max(axis=0)) if len(pixels) > 1 else [])


def mask_text(pixels: Pixels, boxes: Sequence[Box]) -> Pixels:
    """A copy of (C, H, W) whose lines of text are filled with the median of their rims.

    A box is widened along its line as far as sharp steps go on: what was found may be the middle
    of the line only.

    Examples
    --------
    >>> grey = np.full((1, 100, 100), 0.25, np.float32)
    >>> grey[0, 40:50, 20:80:2] = 1
    >>> float(mask_text(grey, [Box(40, 30, 50, 60)]).max())
    0.25
    """
    masked = pixels.copy()
    for box in boxes:
        wide = _widened(pixels, box)
        rows, columns = slice(wide.top, wide.bottom), slice(wide.left, wide.right)
        rim = np.concatenate(
            [masked[:, wide.top, columns], masked[:, wide.bottom - 1, columns],
             masked[:, rows, wide.left], masked[:, rows, wide.right - 1]], axis=1
        )  # fmt: skip
        masked[:, rows, columns] = np.median(rim, axis=1)[:, None, None]
    return masked


def _widened(pixels: Pixels, box: Box) -> Box:
    """The box with all of its line, and half a height around it."""
    tall, (height, width) = box.bottom - box.top, pixels.shape[1:]
    band = pixels[:, box.top : box.bottom]
    steps = (np.abs(np.diff(band, axis=2)) > _STEP).any(axis=(0, 1))
    columns = np.flatnonzero(steps)
    left, right = box.left, box.right
    for column in columns[columns < left][::-1]:
        if left - column > _WORD_GAP * tall:
            break
        left = int(column)
    for column in columns[columns >= right]:
        if column + 1 - right > _WORD_GAP * tall:
            break
        right = int(column) + 1
    around = tall // 2 + 1
    return Box(
        max(0, box.top - around),
        max(0, left - around),
        min(height, box.bottom + around),
        min(width, right + around),
    )


def _masked(pixels: Pixels, boxes: list[Box]) -> tuple[Pixels, tuple[str, ...]]:
    """Mask and look again: what one line hid may show only then."""
    n_boxes = 0
    for _ in range(_MOST_ROUNDS):
        n_boxes += len(boxes)
        pixels = mask_text(pixels, boxes)
        boxes = text_in(pixels)
        if not boxes:
            return pixels, (f"burned-in text masked in {_count(n_boxes, 'box', 'es')}",)
    raise _refused("text is left in the pixels after masking")


def _count(number: int, noun: str, plural: str = "s") -> str:
    return f"{number} {noun}{'' if number == 1 else plural}"


def _refused(found: str) -> InputError:
    fix = "look at it: mask the text (--burned-in mask), or keep it if it names nobody"
    return InputError("E_BURNED_IN", found, fix=fix)


def _terms(ds: Any, keyword: str) -> list[str]:
    try:
        value = ds.get(keyword)
    except Exception:
        return []
    if value is None or value == "":
        return []
    many = value if isinstance(value, Sequence) and not isinstance(value, str) else [value]
    return [str(item).strip(" \0").upper() for item in many]
