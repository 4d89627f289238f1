"""What to do about a code where the place that raises it has nothing better to say."""

from __future__ import annotations

REMEDIES: dict[str, str] = {
    "E_AFFINE": "export it again, correct its header, or read it without resampling to mm",
    "E_ARCHIVE": "copy it again from its source, or save it again with numpy.savez",
    "E_BOMB": "check where it comes from; raise the limits if it is honest",
    "E_BURNED_IN": (
        "look at it; mask the text with --burned-in mask, "
        "or take the scan as it is with --burned-in keep"
    ),
    "E_COLLECTION": (
        "run the same ingest again; if that does not help, restore it or make it anew"
    ),
    "E_CONFIG": "correct the setting that is named",
    "E_CONSTANT": "leave it out, or export it again if it should show something",
    "E_CRASH": "look at the file; export it again from its source",
    "E_CSV": "correct the line that is named; write paths relative to the source",
    "E_DECODE": "export it again, uncompressed if need be",
    "E_DEPTH": "check where the file comes from",
    "E_EMPTY": "copy it again",
    "E_FORMAT": "leave it out, convert it, or save header and pixels in one file",
    "E_IO": "check that it exists, its permissions, and the space on the disk",
    "E_KEY": "restore it; or remove it, and all pseudonyms change",
    "E_MEMORY": "reduce the image, or raise the limit",
    "E_MISSING_FILE": "write paths relative to the source",
    "E_MODEL_INTEGRITY": "copy the bundle again from its source",
    "E_NAN": "replace them before reading, or read them with --nan impute",
    "E_NDIM": "say what is wanted with --dims, --slices, --frames or --volume-index",
    "E_PATH": "write paths relative to the source, or rename the file",
    "E_PI": "export it again as MONOCHROME2 or RGB",
    "E_PICKLE": "save it again as plain numbers",
    "E_RULES": "correct the rule that is named; the message lists the columns",
    "E_SERIES": "give the slices of one series and orientation; copy the series again",
    "E_SIZE": "crop or reduce it, raise the limits, export it again, or ingest with --size",
    "E_SOURCE": "give a folder of scans, an .npz or a collection",
    "E_SPLIT": "start again in another folder",
    "E_TERMS": "correct the term that is named",
    "E_TIMEOUT": "raise the time, or look at the file",
    "E_TINY": "leave it out, or export the image itself instead of its icon",
    "E_TRUNCATED": "copy it again from its source",
    "E_UID": "check where the file comes from; export it again",
}
"""As docs/errors.md says: of files that cannot be read, and of other codes that say no more."""
