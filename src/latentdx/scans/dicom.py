"""DICOM: one file becomes one scan, or a scan a frame, its header checked before its pixels."""

from __future__ import annotations

from collections.abc import Iterator

from latentdx.core.errors import InputError
from latentdx.scans import dicom_geometry, dicom_tags
from latentdx.scans.dicom_dataset import read_dataset
from latentdx.scans.dicom_fields import scan_fields
from latentdx.scans.dicom_header import PixelHeader, count_frames, read_header, require_size
from latentdx.scans.dicom_native import native_frames
from latentdx.scans.dicom_pixels import frame_pixels
from latentdx.scans.dicom_told import Told
from latentdx.scans.limits import Limits
from latentdx.scans.policy import Policy
from latentdx.scans.scan import Scan


def read_dicom(data: bytes, limits: Limits, *, key: bytes, policy: Policy) -> Iterator[Scan]:
    """Decode the frames of one DICOM file, with or without preamble and meta information.

    Order of the pixels' way: decoding, unused bits masked, modality LUT or rescale, display
    window, MONOCHROME1 inverted; palettes and YBR become RGB (DICOM PS3.3 C.7.6.3, C.11.1, C.11.2;
    PS3.4 N.2). The window is, in this order: the policy's; for CR, DX, MG, RF, XA and CT the
    file's VOI LUT, else its first window; for CT the default CT window 40, 400 (soft tissue, HU);
    the frame's percentiles. Enhanced CT and MR give rescale and window frame by frame.

    Of several frames each becomes a scan (``frame/0``, ``frame/1`` ...) where
    ``policy.several`` is ``each``, one decoded at a time; all share patient, study and series.
    `key` makes the pseudonyms (see `latentdx.scans.deidentify`).

    Raises `InputError`: ``N_NOT_IMAGE`` (an object without pixels), ``E_NDIM`` (several frames and
    a policy that refuses them), ``E_TRUNCATED``, ``E_SIZE``, ``E_BOMB``, ``E_DEPTH``, ``E_PI``
    (unknown or contradictory photometric interpretation), ``E_NAN``, ``E_DECODE``.

    Examples
    --------
    >>> from pydicom.data import get_testdata_file
    >>> with open(get_testdata_file("CT_small.dcm"), "rb") as file:
    ...     (scan,) = read_dicom(file.read(), Limits(), key=b"secret", policy=Policy())
    >>> scan.pixels.shape, scan.conversions[0]
    ((1, 128, 128), 'rescaled by 1, -1024')
    """
    ds = read_dataset(data, limits)
    frames = count_frames(ds)
    if frames > 1 and policy.several != "each":
        raise InputError(
            "E_NDIM",
            f"the file holds {frames} frames where one image is read",
            fix="read the frames with --frames each, or a volume with --dims 3",
        )
    header = read_header(ds)
    require_size(ds, header, limits, len(data))
    yield from _scans(ds, header, key, policy)


def peek_dicom(data: bytes, limits: Limits, *, key: bytes) -> tuple[str | None, int]:
    """(series pseudonym or None, frames) of an image, from its header alone.

    Raises what `read_dicom` raises before it decodes.
    """
    ds = read_dataset(data, limits)
    return dicom_tags.identity(ds.ds, key)["series"], count_frames(ds)


def _scans(ds: Told, header: PixelHeader, key: bytes, policy: Policy) -> Iterator[Scan]:
    modality = dicom_tags.modality(ds.ds)
    identity = scan_fields(ds, key, policy)
    for index, native in enumerate(native_frames(ds, header)):
        pixels, done = frame_pixels(native, ds, index, modality=modality, policy=policy)
        if (aspect := dicom_geometry.aspect_ratio(ds)) is not None:
            done.append(f"pixels are not square: {aspect[0]:g} high, {aspect[1]:g} wide")
        fields = dict(identity)
        if fields.get("spacing_mm") is None:
            fields["spacing_mm"] = dicom_geometry.pixel_spacing(ds, index)
        frame = f"frame/{index}" if header.frames > 1 else ""
        native_shape = (header.rows, header.columns)
        yield Scan(pixels, native_shape, frame=frame, conversions=tuple(done), **fields)
