"""What to do about each code that sets a file aside or marks a scan, as docs/errors.md says."""

from __future__ import annotations

ADVICE: dict[str, str] = {
    "E_AFFINE": "Export it again, correct its header, or read it without resampling to mm.",
    "E_BOMB": "Check where it comes from; raise the limits if it is honest.",
    "E_BURNED_IN": (
        "Look at it; mask the text with --burned-in mask, "
        "or take the scan as it is with --burned-in keep."
    ),
    "E_CONSTANT": "Leave it out, or export it again if it should show something.",
    "E_CRASH": "Look at the file; export it again from its source.",
    "E_DECODE": "Export it again, uncompressed if need be.",
    "E_DEPTH": "Check where the file comes from.",
    "E_EMPTY": "Copy it again.",
    "E_FORMAT": "Leave it out, convert it, or save header and pixels in one file.",
    "E_IO": "Check that it exists, its permissions, and the space on the disk.",
    "E_MEMORY": "Reduce the image, or raise the limit.",
    "E_MISSING_FILE": "Write paths relative to the source.",
    "E_NAN": "Replace them before reading, or read them with --nan impute.",
    "E_NDIM": "Say what is wanted with --dims, --slices, --frames or --volume-index.",
    "E_PATH": "Write paths relative to the source.",
    "E_PI": "Export it again as MONOCHROME2 or RGB.",
    "E_PICKLE": "Save it again as plain numbers.",
    "E_SERIES": "Give the slices of one series and orientation; copy the series again.",
    "E_TIMEOUT": "Raise the time, or look at the file.",
    "E_TINY": "Leave it out, or export the image itself instead of its icon.",
    "E_TRUNCATED": "Copy it again from its source.",
    "E_UID": "Check where the file comes from; export it again.",
}

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
