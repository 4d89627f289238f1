"""What to do about each code that sets a file aside or marks a scan, as docs/errors.md says."""

from __future__ import annotations

from latentdx.core.remedies import REMEDIES

ADVICE: dict[str, str] = {code: f"{text[0].upper()}{text[1:]}." for code, text in REMEDIES.items()}

MEANING: dict[str, str] = {
    "W_AFFINE": "sform and qform of a NIfTI header differ by more than half a voxel.",
    "W_BINARY": "Nearly all pixels are at one of two levels: a mask, or clipped by a window?",
    "W_BURNED_IN": "Files of this kind often hold text in their pixels; none was found.",
    "W_FACE": "The header says that a person can be recognised in the picture.",
    "W_GAP": "Slices of a volume are missing or unevenly spaced; they were interpolated.",
    "W_INVERTED": "Looks more like the others as a negative.",
    "W_MODALITY": "Several modalities lie in one collection.",
    "W_NEAR_EMPTY": "Nearly all pixels are at one level: is there anything to see?",
    "W_ODD_ONE": "Unlike all others.",
    "W_SATURATED": "More than half of the pixels are at the brightest level.",
    "W_TILT": "The slices of a volume are tilted; they were shifted to right angles.",
}
"""Of the warnings, in a sentence."""

OTHERWISE = "See the text of each file."


def advice(code: str) -> str:
    """What to do about files set aside with `code`.

    Examples
    --------
    >>> advice("E_EMPTY")
    'Copy it again.'
    """
    return ADVICE.get(code, OTHERWISE)
