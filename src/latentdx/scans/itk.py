"""NRRD and MetaImage: ITK's own formats, a text header before plain or packed voxels.

ITK itself is not used to read them. Its readers follow paths in the header, unpack without a
limit, and read files only: a copy of a patient's scan would lie in a folder for as long as that
takes, and for ever where the process is killed. Both headers are short; the tests hold SimpleITK
against what is read here.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from latentdx.core.errors import InputError
from latentdx.scans.inflate import as_voxels, exactly
from latentdx.scans.limits import Limits
from latentdx.scans.metaimage import parse_metaimage
from latentdx.scans.nrrd import parse_nrrd
from latentdx.scans.orientation import LPS_TO_RAS, require_affine
from latentdx.scans.policy import Policy
from latentdx.scans.text_header import TextHeader
from latentdx.scans.volume import Volume
from latentdx.scans.voxels import finite, require_room, wanted_volume

_PARSERS = {"nrrd": parse_nrrd, "metaimage": parse_metaimage}


def read_itk(
    data: bytes, kind: Literal["nrrd", "metaimage"], limits: Limits, policy: Policy
) -> Volume:
    """One volume of a ``.nrrd`` or ``.mha`` in its own axes and units.

    An image (two axes) is a volume of one slice; of several volumes `policy.volume_index` chooses
    one. Encodings: raw, gzip (NRRD), zlib (MetaImage).

    Raises `InputError`: ``E_FORMAT`` (a header that is wrong, or that keeps its voxels in another
    file), ``E_NDIM`` (several volumes, vectors, colour), ``E_SIZE``, ``E_BOMB``, ``E_TRUNCATED``,
    ``E_AFFINE``, ``E_NAN``, ``E_DECODE``.

    Examples
    --------
    >>> header = b"NRRD0004\\ntype: uchar\\ndimension: 3\\nsizes: 2 1 1\\nencoding: raw\\n\\n"
    >>> read_itk(header + b"ab", "nrrd", Limits(), Policy(dims=3)).values.ravel().tolist()
    [97, 98]
    """
    header = _PARSERS[kind](data)
    if header is None:
        found = "vectors or colour where one value a voxel is read"
        raise InputError("E_NDIM", found, fix="save one component as a file of its own")
    affine, placed = _affine(header)
    values, chosen = _values(memoryview(data), header, limits, policy)
    values, imputed = finite(values, policy)
    return Volume(
        values,
        affine,
        has_spacing=header.columns is not None,
        conversions=(*chosen, *imputed, *placed),
    )


def _values(
    data: memoryview, header: TextHeader, limits: Limits, policy: Policy
) -> tuple[NDArray[Any], tuple[str, ...]]:
    """(X, Y, Z) of the one volume wanted, and what was done."""
    axis, sizes = header.volumes_axis, header.sizes
    volumes = 1 if axis is None else sizes[axis]
    sides = [side for place, side in enumerate(sizes) if place != axis]
    shape = (*sides, 1)[:3]
    stored, item_bytes = data[header.start :], np.dtype(header.dtype).itemsize
    room = len(stored) if header.packed else None
    require_room((*shape, volumes), item_bytes, limits, packed_bytes=room)
    index = wanted_volume(volumes, policy)
    plain = exactly(stored, math.prod(sizes) * item_bytes, packed=header.packed)
    values = as_voxels(plain, header.dtype, sizes)
    if axis is not None:
        values = values.take(index, axis)
    done = (f"volume {index} of {volumes} taken",) if volumes > 1 else ()
    return values.reshape(shape, order="F"), done


def _affine(header: TextHeader) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Voxel index to mm in RAS+, and what was assumed."""
    affine = np.eye(4)
    affine[:3, 3] = header.origin
    if header.columns is None:
        return LPS_TO_RAS @ affine, ("no spacing in the header: axes taken as left, back, head",)
    affine[:3, :3] = header.columns
    require_affine(affine)
    done = (
        () if header.oriented else ("no orientation in the header: axes taken as left, back, head",)
    )
    return LPS_TO_RAS @ affine, done
