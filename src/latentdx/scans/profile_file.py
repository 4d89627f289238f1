"""`deidentify_file`: a DICOM file in, a clean DICOM file out."""

from __future__ import annotations

import io
import logging
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from latentdx.core.errors import InputError
from latentdx.scans.dicom_dataset import meta_end
from latentdx.scans.limits import Limits
from latentdx.scans.profile import deidentify_dataset
from latentdx.scans.profile_options import ProfileOptions, sign
from latentdx.scans.profile_pixels import clean_pixels
from latentdx.scans.profile_values import well_known_uids

_IMPLEMENTATION_UID = "2.25.302412733216287331945735302411902211093"


def deidentify_file(
    data: bytes, options: ProfileOptions, key: bytes, *, limits: Limits | None = None
) -> bytes:
    """A DICOM Part 10 file with what the confidentiality profile lets stay of another.

    The header goes through `latentdx.scans.profile.deidentify_dataset`; the preamble is blank, the
    file meta information is made anew, and pixel data keep nothing beside the picture. What is
    burned into the picture stays (see `latentdx.scans.burned_in`). A deflated file is written
    inflated; any other keeps its transfer syntax.

    Raises `InputError`: ``E_DECODE`` (not readable as DICOM, or a stream that cannot be cleaned),
    ``E_SIZE``, ``E_BOMB``, ``E_DEPTH``, ``E_UID`` (no SOP class or instance UID).

    Examples
    --------
    >>> options = ProfileOptions(patient=True, dates="shift")
    >>> clean = deidentify_file(Path("chest.dcm").read_bytes(), options, key)  # doctest: +SKIP
    """
    try:
        with _silenced():
            return _written(data, options, key, limits or Limits())
    except InputError:
        raise
    except RecursionError:
        raise InputError("E_DEPTH", "sequences nest too deep") from None
    except Exception as error:  # a library's message may quote the file's values
        text = f"cannot be de-identified ({type(error).__name__})"
        raise InputError("E_DECODE", text) from None


@contextmanager
def _silenced() -> Iterator[None]:
    """The library's warnings and log lines quote tag values."""
    logger = logging.getLogger("pydicom")
    before, logger.disabled = logger.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = before


def _written(data: bytes, options: ProfileOptions, key: bytes, limits: Limits) -> bytes:
    _require_small(data, limits)
    ds = dcmread(io.BytesIO(data), force=True)
    syntax = _syntax(ds)
    clean = deidentify_dataset(ds, options, key)
    clean_pixels(clean, syntax)
    sign(clean, options)
    clean.file_meta = _meta(clean, syntax)
    clean.preamble = bytes(128)
    if "PixelData" in clean and syntax.is_encapsulated:
        clean["PixelData"].is_undefined_length = True
    out = io.BytesIO()
    clean.save_as(out, enforce_file_format=True)
    return out.getvalue()


def _syntax(ds: Dataset) -> UID:
    """The transfer syntax to write: as read, but a deflated data set is written plain."""
    stated = UID(str(ds.file_meta.get("TransferSyntaxUID") or ""))
    if stated in well_known_uids() and stated != DeflatedExplicitVRLittleEndian:
        return stated
    implicit, little = ds.original_encoding
    known = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    return ImplicitVRLittleEndian if implicit else known


def _meta(clean: Dataset, syntax: UID) -> FileMetaDataset:
    instance = str(clean.get("SOPInstanceUID") or "")
    if not instance or not clean.get("SOPClassUID"):
        raise InputError("E_UID", "no SOP class or instance UID", fix="export the file again")
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = clean.SOPClassUID
    meta.MediaStorageSOPInstanceUID = instance
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = _IMPLEMENTATION_UID
    return meta


def _require_small(data: bytes, limits: Limits) -> None:
    """Meet a deflated bomb before a library unpacks it."""
    start, syntax = meta_end(data)
    if syntax != DeflatedExplicitVRLittleEndian:
        return
    packed = data[start:]
    cap = min(limits.file_bytes, limits.inflated_cap(len(packed)))
    unpacked = zlib.decompressobj(-zlib.MAX_WBITS).decompress(packed, cap + 1)
    if len(unpacked) > cap:
        raise InputError(
            "E_BOMB",
            f"{len(packed)} deflated bytes unpack to more than {cap}",
            fix="check where the file comes from, or raise the limits",
        )
