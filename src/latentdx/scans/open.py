"""`open_scan`: one file in, one scan out, whatever the file is called."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from latentdx.core.errors import InputError
from latentdx.core.hashing import hash_array
from latentdx.scans.arrays import read_npy
from latentdx.scans.deidentify import user_key
from latentdx.scans.dicom import read_dicom
from latentdx.scans.limits import Limits
from latentdx.scans.raster import read_raster
from latentdx.scans.scan import Scan
from latentdx.scans.sniff import HEAD_BYTES, open_regular, sniff


def open_scan(path: str | Path, *, key: bytes | None = None, limits: Limits | None = None) -> Scan:
    """Read one 2-D image (DICOM, PNG, JPEG, TIFF, BMP, WebP, GIF, npy), told by its content.

    Decodes in this process: a hostile file can hang it or take its memory. For files of unknown
    origin use `latentdx.scans.sandbox.decode_files`. `key` makes the pseudonyms (default: the
    user's own, see `latentdx.scans.deidentify.user_key`).

    Raises `InputError`, always with the path and never with a patient's data: ``E_IO``,
    ``E_EMPTY``, ``E_FORMAT``, ``N_NOT_IMAGE``, ``E_NDIM``, ``E_TRUNCATED``, ``E_SIZE``,
    ``E_BOMB``, ``E_DEPTH``, ``E_PI``, ``E_NAN``, ``E_PICKLE``, ``E_MEMORY``, ``E_DECODE``.

    Examples
    --------
    >>> scan = open_scan("chest.dcm")  # doctest: +SKIP
    >>> scan.pixels.shape, scan.conversions  # doctest: +SKIP
    ((1, 2022, 2022), ('window 2048, 4096 LINEAR applied', 'MONOCHROME1 inverted'))
    """
    limits = limits or Limits()
    key = user_key() if key is None else key
    try:
        with _silenced():
            scan = _decode(_read(Path(path), limits), key, limits)
        return replace(scan, content_hash=hash_array(scan.pixels))
    except InputError as error:
        raise InputError(error.code, error.found, fix=error.fix, path=path) from None
    except MemoryError:
        raise InputError("E_MEMORY", "decoding took more memory than allowed", path=path) from None
    except RecursionError:
        raise InputError("E_DEPTH", "sequences nest too deep", path=path) from None
    except Exception as error:
        # A library's message may quote the file's values: only the type of the error is told.
        text = f"cannot be decoded ({type(error).__name__})"
        raise InputError("E_DECODE", text, path=path) from None


@contextmanager
def _silenced() -> Iterator[None]:
    """The libraries' warnings and log lines quote tag values: no name may reach a log that way."""
    logger = logging.getLogger("pydicom")
    before = logger.disabled
    logger.disabled = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = before


def _read(path: Path, limits: Limits) -> bytes:
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > limits.file_bytes:
            raise InputError(
                "E_SIZE", f"the file has {size} bytes; the limit is {limits.file_bytes}"
            )
        try:
            return file.read(size)  # `read` allocates what it is asked for: never the limit itself
        except OSError as error:
            raise InputError("E_IO", f"cannot be read: {error.strerror}") from None


def _decode(data: bytes, key: bytes, limits: Limits) -> Scan:
    kind = sniff(data[:HEAD_BYTES])
    if kind == "dicom":
        return read_dicom(data, limits, key=key)
    if kind == "npy":
        return read_npy(data, limits)
    if kind == "nifti":
        raise InputError(
            "E_NDIM", "a NIfTI volume; only 2-D images are read for now", fix="export its slices"
        )
    if kind == "zip":
        raise InputError(
            "E_FORMAT", "an archive, not one scan", fix="give an .npz as a source of its own"
        )
    return read_raster(data, kind, limits)
