"""NIfTI-1 and NIfTI-2, plain or gzip: the header is judged before any voxel is touched.

Layout: nifti.nimh.nih.gov/nifti-1 and /nifti-2. Header extensions, the description and the other
free texts are never read: they may name the patient.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.core.errors import InputError
from latentdx.scans.inflate import as_voxels, exactly, inflate
from latentdx.scans.limits import Limits
from latentdx.scans.orientation import require_affine
from latentdx.scans.policy import Policy
from latentdx.scans.volume import Volume
from latentdx.scans.voxels import Shape, as_volumes, finite, require_room, wanted_volume

Placed = tuple[NDArray[np.float64], bool, tuple[str, ...], tuple[str, ...]]

_HEADER_BYTES = {348: 348, 540: 540}
_TYPES = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4", 1024: "i8",
    1280: "u8",
}  # fmt: skip
_COLOUR, _COMPLEX = (128, 2304), (32, 1792, 2048)
_MM_PER_UNIT = {1: 1000.0, 3: 0.001}  # metre, micrometre; 2 is mm, 0 is taken as mm
_UNIT_NAMES = {1: "m", 3: "micrometres"}
_DISAGREEMENT = 0.5  # voxels, at the corner that the two affines put furthest apart


def read_nifti(data: bytes, limits: Limits, policy: Policy) -> Volume:
    """One volume of a ``.nii`` or ``.nii.gz`` in its own axes and units.

    An image (two dimensions) is a volume of one slice; of several volumes `policy.volume_index`
    chooses one. ``sform`` wins over ``qform``; where both are told and differ by more than half a
    voxel, the volume carries the warning ``W_AFFINE``.

    Raises `InputError`: ``E_FORMAT`` (pairs of files, complex numbers, a header that contradicts
    itself), ``E_NDIM`` (several volumes, colour), ``E_SIZE``, ``E_BOMB``, ``E_TRUNCATED``,
    ``E_AFFINE``, ``E_NAN``, ``E_DECODE``.

    Examples
    --------
    >>> import nibabel
    >>> image = nibabel.Nifti1Image(np.zeros((2, 3, 4), np.int16), np.diag([1.0, 1, 5, 1]))
    >>> read_nifti(image.to_bytes(), Limits(), Policy(dims=3)).values.shape
    (2, 3, 4)
    """
    packed = data[:2] == b"\x1f\x8b"
    header = _header(b"".join(inflate(data, 540)) if packed else data[:540])
    dtype, shape, start = _dtype(header), as_volumes(_shape(header)), _start(header)
    item_bytes = np.dtype(dtype).itemsize
    require_room(shape, item_bytes, limits, packed_bytes=len(data) if packed else None)
    index = wanted_volume(shape[3], policy)
    affine, has_spacing, placed, warnings = _placed(header, shape)
    voxel_bytes = math.prod(shape) * item_bytes
    plain = exactly(data, start + voxel_bytes, packed=packed)[start:]
    values = as_voxels(plain, dtype, shape)[..., index]
    done = (f"volume {index} of {shape[3]} taken",) if shape[3] > 1 else ()
    values, scaled = _scaled(values, header)
    values, imputed = finite(values, policy)
    return Volume(
        values,
        affine,
        has_spacing=has_spacing,
        conversions=(*done, *scaled, *imputed, *placed),
        warnings=warnings,
    )


def _header(head: bytes) -> Any:
    """nibabel's view of the header; its own repairs and log lines are left out."""
    from nibabel.nifti1 import Nifti1Header
    from nibabel.nifti2 import Nifti2Header

    for order, endian in (("little", "<"), ("big", ">")):
        size = int.from_bytes(head[:4], order)  # type: ignore[arg-type]
        if size not in _HEADER_BYTES:
            continue
        if len(head) < size:
            raise InputError("E_TRUNCATED", f"{size} bytes of header expected, {len(head)} found")
        kind = Nifti1Header if size == 348 else Nifti2Header
        header = kind(head[:size], endianness=endian, check=False)
        magic = bytes(header["magic"])[:3]
        if magic not in (b"n+1", b"n+2", b"ni1", b"ni2"):
            raise _contradiction("it lacks NIfTI's mark (an Analyze file?)")
        if magic in (b"ni1", b"ni2"):
            raise InputError(
                "E_FORMAT",
                "one file of a pair (.hdr and .img), which keeps its voxels in the other",
                fix="convert the pair to one .nii file",
            )
        return header
    raise _contradiction("its length is not that of a NIfTI header")


def _contradiction(found: str) -> InputError:
    return InputError(
        "E_FORMAT", f"the NIfTI header is wrong: {found}", fix="export it again from its source"
    )


def _shape(header: Any) -> Shape:
    """The dimensions without the trailing ones of length 1."""
    dims = [int(dim) for dim in header["dim"]]
    if not 1 <= dims[0] <= 7:
        raise _contradiction(f"{dims[0]} dimensions")
    shape = dims[1 : dims[0] + 1]
    while len(shape) > 2 and shape[-1] == 1:
        shape.pop()
    if min(shape) < 1:
        raise InputError("E_SIZE", "the header announces a side without voxels")
    return tuple(shape)


def _dtype(header: Any) -> str:
    """Type and byte order of the stored voxels, as numpy writes them."""
    code = int(header["datatype"])
    if code in _COLOUR:
        raise InputError(
            "E_NDIM", "colour voxels where one value a voxel is read", fix="convert it to grey"
        )
    if code in _COMPLEX:
        raise InputError("E_FORMAT", "complex voxels", fix="save the magnitude alone")
    if code not in _TYPES:
        raise InputError("E_FORMAT", "unknown type of voxels", fix="convert it to float32")
    if int(header["bitpix"]) != 8 * np.dtype(_TYPES[code]).itemsize:
        raise _contradiction("bits a voxel do not fit the type of the voxels")
    return str(header.endianness) + _TYPES[code]


def _start(header: Any) -> int:
    """Byte at which the voxels begin: after the header and the four bytes of extension flags."""
    start, least = float(header["vox_offset"]), int(header["sizeof_hdr"]) + 4
    if not least <= start <= 1 << 30:
        raise _contradiction("the voxels would begin within the header, or nowhere")
    return int(start)


def _scaled(values: NDArray[Any], header: Any) -> tuple[NDArray[Any], tuple[str, ...]]:
    """By ``scl_slope`` and ``scl_inter``; a slope of 0 or NaN means none."""
    if "scl_slope" not in header.keys():  # noqa: SIM118 - the header is no dictionary
        return values, ()
    slope, inter = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0 or not np.isfinite(slope) or (slope, inter) == (1.0, 0.0):
        return values, ()
    if not np.isfinite(inter):
        raise _contradiction("the intercept of the values is no number")
    # float32 holds 24 bits, float64 53: wide integers keep theirs.
    wide = values.dtype.itemsize > (4 if values.dtype.kind == "f" else 2)
    units: NDArray[Any] = values.astype(np.float64 if wide else np.float32)
    units *= slope
    units += inter
    return units, (f"rescaled by {slope:g}, {inter:g}",)


def _placed(header: Any, shape: Shape) -> Placed:
    """Affine in mm, whether it is told, what was done, warnings."""
    affine, has_spacing, done, warnings = _told(header, shape)
    unit = int(header["xyzt_units"]) & 7
    if unit in _MM_PER_UNIT and has_spacing:
        affine = np.diag([_MM_PER_UNIT[unit]] * 3 + [1.0]) @ affine
        done = (*done, f"positions converted from {_UNIT_NAMES[unit]} to mm")
    require_affine(affine)
    return affine, has_spacing, done, warnings


def _told(header: Any, shape: Shape) -> Placed:
    from nibabel.spatialimages import HeaderDataError

    sform, qform, broken = header.get_sform(coded=True)[0], None, False
    if int(header["qform_code"]) > 0:
        try:
            qform = _qform(header)
        except (HeaderDataError, ValueError):
            broken = True
    if sform is not None:
        sform = np.asarray(sform, np.float64)
        if broken or (qform is not None and _apart(sform, qform, shape)):
            return sform, True, ("sform taken, though qform differs",), ("W_AFFINE",)
        return sform, True, (), ()
    if broken:
        raise InputError("E_AFFINE", "the qform is no rotation", fix="correct its header")
    if qform is not None:
        return qform, True, (), ()
    return _assumed(header, shape)


def _qform(header: Any) -> NDArray[np.float64]:
    repaired = header.copy()
    if repaired["pixdim"][0] == 0:
        repaired["pixdim"][0] = 1  # the standard reads 0 as 1
    return np.asarray(repaired.get_qform(), np.float64)


def _apart(first: NDArray[np.float64], second: NDArray[np.float64], shape: Shape) -> bool:
    corners = np.array([[*corner, 1] for corner in np.ndindex(2, 2, 2)]) * [*shape[:3], 1]
    distance = np.linalg.norm(((first - second) @ corners.T)[:3], axis=0).max()
    least = np.linalg.norm(first[:3, :3], axis=0).min()
    return not distance <= _DISAGREEMENT * least  # NaN is apart, too


def _assumed(header: Any, shape: Shape) -> Placed:
    """Neither form is told: nibabel's reading (x runs to the left) of the voxel sizes alone.

    Sizes of exactly 1 are what writers leave who know none: then spacing is not told, either.
    """
    sizes = np.asarray(header["pixdim"][1:4], np.float64)
    told = bool(np.isfinite(sizes).all() and (sizes > 0).all() and (sizes != 1).any())
    sizes = sizes if told else np.ones(3)
    affine = np.diag([-sizes[0], sizes[1], sizes[2], 1.0])
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape[:3]) - 1) / 2)
    text = "no affine in the header: axes taken as left, front, head"
    return affine, told, (text if told else f"{text}, and spacing as unknown",), ()
