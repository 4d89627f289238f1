"""`open_scan` and `open_scans`: files in, scans out, whatever the files are called."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from latentdx.core.errors import InputError
from latentdx.core.hashing import hash_array
from latentdx.scans.arrays import read_npy
from latentdx.scans.deidentify import user_key
from latentdx.scans.dicom import peek_dicom, read_dicom
from latentdx.scans.file_hash import hash_files
from latentdx.scans.limits import Limits
from latentdx.scans.own_mask import Mask, read_mask, require_fit
from latentdx.scans.policy import Policy
from latentdx.scans.prepared import prepared
from latentdx.scans.raster import read_raster
from latentdx.scans.scan import Scan
from latentdx.scans.sniff import HEAD_BYTES, open_regular, sniff

_VOLUMES = ("nifti", "nrrd", "metaimage")


def open_scan(
    path: str | Path,
    *,
    key: bytes | None = None,
    limits: Limits | None = None,
    policy: Policy | None = None,
) -> Scan:
    """Read the one scan of a file: an image, or with ``Policy(dims=3)`` a volume.

    DICOM, PNG, JPEG, TIFF, BMP, WebP, GIF, npy, NIfTI, NRRD or MetaImage, told by its content.
    Decodes in this process: a hostile file can hang it or take its memory. For files of unknown
    origin use `latentdx.scans.sandbox.decode_files`. `key` makes the pseudonyms (default: the
    user's own, see `latentdx.scans.deidentify.user_key`).

    Raises `InputError`, always with the path and never with a patient's data: ``E_IO``,
    ``E_EMPTY``, ``E_FORMAT``, ``N_NOT_IMAGE``, ``E_NDIM``, ``E_TRUNCATED``, ``E_SIZE``,
    ``E_BOMB``, ``E_DEPTH``, ``E_PI``, ``E_NAN``, ``E_PICKLE``, ``E_AFFINE``, ``E_SERIES``,
    ``E_MEMORY``, ``E_DECODE``.

    Examples
    --------
    >>> scan = open_scan("chest.dcm")  # doctest: +SKIP
    >>> scan.pixels.shape, scan.conversions  # doctest: +SKIP
    ((1, 2022, 2022), ('window 2048, 4096 LINEAR applied', 'MONOCHROME1 inverted'))
    """
    found = tuple(open_scans([path], key=key, limits=limits, policy=policy))
    if len(found) != 1:
        raise InputError(
            "E_NDIM",
            f"the file holds {len(found)} scans where one was asked for",
            fix="read them all with open_scans",
            path=path,
        )
    return found[0]


def open_scans(
    paths: Sequence[str | Path],
    *,
    key: bytes | None = None,
    limits: Limits | None = None,
    policy: Policy | None = None,
    mask: str | Path | None = None,
) -> Iterator[Scan]:
    """Read what one file holds (every frame, page or slice that `policy` asks for), one by one.

    Several `paths` are the DICOM files of one series, which become one volume (or its slices).
    Raises what `open_scan` raises, with the first path, and ``E_SERIES`` where files do not make a
    volume. `mask` is the file of a mask of the user's own (see `read_mask`) for all that is read:
    ``E_MASK`` where it cannot be used.
    """
    limits, policy = limits or Limits(), policy or Policy()
    key = user_key() if key is None else key
    with refusals(paths[0]):
        data = [read_bytes(Path(path), limits) for path in paths]
        file_hash = hash_files(data)
        own = None if mask is None else read_mask(mask, limits)
        scans = iter(_decode(data, key, limits, policy, own))
    while True:
        with refusals(paths[0]):
            scan = next(scans, None)
            if scan is None:
                return
            if not scan.frame.startswith("slice/") and scan.dims == 2:
                if own is not None:
                    require_fit(own, scan.pixels.shape[1:])
                    scan = replace(scan, mask=own)
                scan = prepared(scan, policy)  # volumes, and so their slices, are already
            scan = replace(scan, content_hash=hash_array(scan.pixels), file_hash=file_hash)
        yield scan


@contextmanager
def refusals(path: str | Path) -> Iterator[None]:
    """Whatever goes wrong within ends as an `InputError` with the path and no patient's data."""
    try:
        with _silenced():
            yield
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
    loggers = [logging.getLogger(name) for name in ("pydicom", "nibabel.global")]
    before = [logger.disabled for logger in loggers]
    for logger in loggers:
        logger.disabled = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, was in zip(loggers, before, strict=True):
            logger.disabled = was


def read_bytes(path: Path, limits: Limits) -> bytes:
    """All bytes of a regular file. Raises `InputError` ``E_IO`` or ``E_SIZE``."""
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


def _decode(
    files: list[bytes], key: bytes, limits: Limits, policy: Policy, mask: Mask | None
) -> Iterator[Scan]:
    data = files[0]
    kind = sniff(data[:HEAD_BYTES])
    if kind == "dicom":
        if policy.takes_volumes and policy.several == "volume":
            return _dicom_volume(files, key, limits, policy, mask)
        return read_dicom(data, limits, key=key, policy=policy)
    if kind in _VOLUMES:
        return _volume(data, kind, limits, policy, mask)
    if kind == "zip":
        raise InputError(
            "E_FORMAT",
            "an archive, not one scan",
            fix="unpack it; give an .npz of many scans as a source of its own",
        )
    if kind == "npy":
        return read_npy(data, limits, policy, mask)
    return read_raster(data, kind, limits, policy)


def _volume(
    data: bytes, kind: str, limits: Limits, policy: Policy, mask: Mask | None
) -> Iterator[Scan]:
    """Volumes need nibabel, SimpleITK or scipy: images need not wait for them."""
    if not policy.takes_volumes:
        raise InputError(
            "E_NDIM",
            f"a volume ({kind}) where 2-D images are read",
            fix="read volumes with --dims 3, or their slices with --slices every:N",
        )
    from latentdx.scans.volume_scans import scans_of

    if kind == "nifti":
        from latentdx.scans.nifti import read_nifti

        return scans_of(read_nifti(data, limits, policy), policy, mask)
    from latentdx.scans.itk import read_itk

    return scans_of(
        read_itk(data, "nrrd" if kind == "nrrd" else "metaimage", limits, policy), policy, mask
    )


def _dicom_volume(
    files: list[bytes], key: bytes, limits: Limits, policy: Policy, mask: Mask | None
) -> Iterator[Scan]:
    from latentdx.scans.dicom_frames import read_frames
    from latentdx.scans.series import assemble
    from latentdx.scans.volume_scans import scans_of

    if policy.dims == 2 and len(files) == 1 and peek_dicom(files[0], limits, key=key)[1] == 1:
        return read_dicom(files[0], limits, key=key, policy=policy)  # one image is no volume
    frames = [read_frames(data, limits, key=key, policy=policy) for data in files]
    return scans_of(assemble(frames, policy), policy, mask)
