"""Array files: one ``.npy`` as a scan, one ``.npz`` as named arrays; never a pickle."""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from latentdx.core.errors import InputError
from latentdx.scans.intensity import Pixels, stretch, to_unit
from latentdx.scans.limits import Limits
from latentdx.scans.policy import Policy
from latentdx.scans.scan import Scan
from latentdx.scans.sniff import open_regular
from latentdx.scans.voxels import finite, require_room

Header = tuple[tuple[int, ...], bool, np.dtype[Any]]

_NUMBERS, _TEXT = "buif", "US"  # dtype kinds; text is for names of labels, in archives only
_READ_HEADER = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
_LINK = 0o120000
_ENCRYPTED = 0x1


def read_npy(
    data: bytes, limits: Limits, policy: Policy, mask: NDArray[np.bool_] | None = None
) -> Iterator[Scan]:
    """One image from ``.npy``: (H, W), (H, W, 1 or 3) or (1 or 3, H, W).

    Where volumes are read, (X, Y, Z), (1, X, Y, Z) and (X, Y, Z, 1) are one: its axes are taken to
    be those of `Scan` (right, front, head), its spacing is unknown. Bytes become value / 255 and
    booleans 0 or 1; floats within 0..1 stay; all else is scaled by the scan's percentiles.

    Raises `InputError` ``E_PICKLE``, ``E_SIZE``, ``E_BOMB``, ``E_TRUNCATED``, ``E_NDIM``,
    ``E_NAN`` or ``E_FORMAT``.
    """
    stream = io.BytesIO(data)
    header = _header(stream)
    size = _array_bytes(header)
    if size > limits.file_bytes:
        raise InputError("E_SIZE", f"the header announces {size} bytes of values")
    values = _values(stream, header)
    space = _volume(values) if policy.takes_volumes else None
    if space is None:
        yield _image(values, len(data), limits, policy)
        return
    from latentdx.scans.volume import Volume
    from latentdx.scans.volume_scans import scans_of

    require_room(space.shape, space.dtype.itemsize, limits, packed_bytes=None)
    space, done = finite(space, policy)
    window = _window(space)
    volume = Volume(space, np.eye(4), window=window, has_spacing=False, conversions=done)
    yield from scans_of(volume, policy, mask)


def open_npz_arrays(path: str | Path, limits: Limits | None = None) -> dict[str, NDArray[Any]]:
    """All arrays of an ``.npz`` (MedMNIST's layout, say), by name, in the file's order.

    The archive's table and each array's header are checked before anything is allocated.
    Raises `InputError`: ``E_IO``, ``E_ARCHIVE`` (not a sound archive of arrays), ``E_PICKLE``
    (object arrays), ``E_SIZE`` (too large, or a header that lies), ``E_BOMB``, ``E_TRUNCATED``.

    Examples
    --------
    >>> arrays = open_npz_arrays("pneumoniamnist.npz")  # doctest: +SKIP
    >>> arrays["train_images"].shape  # doctest: +SKIP
    (4708, 28, 28)
    """
    limits = limits or Limits()
    try:
        with open_regular(Path(path)) as file, _archive(file) as archive:
            members = _checked_members(archive, limits)
            return {_name(member): _member(archive, member) for member in members}
    except InputError as error:
        raise InputError(error.code, error.found, fix=error.fix, path=path) from None
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        OSError,
        NotImplementedError,
        ValueError,
    ) as error:
        raise InputError("E_ARCHIVE", f"unreadable ({type(error).__name__})", path=path) from None
    except Exception as error:
        raise InputError("E_DECODE", f"unreadable ({type(error).__name__})", path=path) from None


def _archive(file: BinaryIO) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(file)
    except zipfile.BadZipFile:
        raise InputError(
            "E_ARCHIVE", "not an archive, or its end is missing", fix="copy it again"
        ) from None


def _checked_members(archive: zipfile.ZipFile, limits: Limits) -> list[zipfile.ZipInfo]:
    members = archive.infolist()
    names = [member.filename for member in members]
    if not members or len(members) > limits.archive_members or len(set(names)) < len(names):
        raise InputError("E_ARCHIVE", f"{len(names)} members, {len(set(names))} different names")
    for member in members:
        _check_member(member, limits)
    total = sum(member.file_size for member in members)
    if total > limits.archive_bytes:
        raise InputError("E_SIZE", f"{total} bytes unpacked; the limit is {limits.archive_bytes}")
    limits.check_ratio(total, sum(member.compress_size for member in members))
    return members


def _check_member(member: zipfile.ZipInfo, limits: Limits) -> None:
    name = PurePosixPath(member.filename.replace("\\", "/"))
    is_plain = len(name.parts) == 1 and name.suffix == ".npy" and ":" not in member.filename
    is_link = (member.external_attr >> 16) & 0o170000 == _LINK
    if not is_plain or is_link or member.flag_bits & _ENCRYPTED:
        raise InputError("E_ARCHIVE", "a member is not a plain array file")
    limits.check_ratio(member.file_size, member.compress_size)


def _name(member: zipfile.ZipInfo) -> str:
    return member.filename.removesuffix(".npy")


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> NDArray[Any]:
    with archive.open(member) as stream:
        try:
            header = _header(stream, _NUMBERS + _TEXT)
        except InputError as error:
            found = f"{_name(member)!r}: {error.found}"
            raise InputError(error.code, found, fix=error.fix) from None
        size = _array_bytes(header)
        held = member.file_size - stream.tell()
        if size > held:
            raise InputError("E_SIZE", f"a header announces {size} bytes, its member holds {held}")
        return _values(stream, header)


def _header(stream: Any, kinds: str = _NUMBERS) -> Header:
    """Shape, Fortran order and dtype; object, structured and other `kinds` are refused here."""
    try:
        version = npy.read_magic(stream)
        shape, fortran, dtype = _READ_HEADER[version](stream)
    except (zipfile.BadZipFile, zlib.error):
        raise InputError("E_ARCHIVE", "a member is damaged", fix="copy it again") from None
    except Exception as error:  # numpy reads headers with the tokenizer, whose errors are many
        raise InputError("E_FORMAT", f"not a valid npy header ({type(error).__name__})") from None
    if dtype.hasobject:
        raise InputError(
            "E_PICKLE",
            "holds Python objects, which only unpickling could read: that could run code",
            fix="save plain numbers",
        )
    if dtype.kind not in kinds or any(side < 0 for side in shape):
        found = f"values of type {dtype.name}, shape {shape}"
        raise InputError("E_FORMAT", found, fix="save an array of plain integers or real numbers")
    return shape, fortran, dtype


def _array_bytes(header: Header) -> int:
    return math.prod(header[0]) * header[2].itemsize


def _values(stream: Any, header: Header) -> NDArray[Any]:
    shape, fortran, dtype = header
    expected = _array_bytes(header)
    data = stream.read(expected)
    if len(data) < expected:
        raise InputError("E_TRUNCATED", f"expected {expected} bytes of values, found {len(data)}")
    flat: NDArray[Any] = np.frombuffer(data, dtype)
    return flat.reshape(shape, order="F" if fortran else "C")


def _volume(values: NDArray[Any]) -> NDArray[Any] | None:
    """(X, Y, Z), or None where the array is an image: (H, W, 3) and (3, H, W) always are."""
    if values.ndim == 4 and 1 in (values.shape[0], values.shape[3]):
        values = values[0] if values.shape[0] == 1 else values[..., 0]
        return values if values.ndim == 3 else None
    if values.ndim != 3 or values.shape[2] in (1, 3) or values.shape[0] in (1, 3):
        return None
    return values


def _image(values: NDArray[Any], stored: int, limits: Limits, policy: Policy) -> Scan:
    if policy.dims == 3:
        raise InputError(
            "E_NDIM",
            f"an array of shape {values.shape} in a collection of volumes",
            fix="save one volume a file, a thin one as (1, X, Y, Z)",
        )
    planes = _channels_first(values)
    limits.check_image(
        *planes.shape[1:], pixel_bytes=planes.dtype.itemsize * len(planes), stored_bytes=stored
    )
    planes, imputed = finite(planes, policy)
    pixels, done = _unit(planes)
    height, width = pixels.shape[1:]
    return Scan(pixels, (height, width), conversions=(*imputed, *done))


def _channels_first(values: NDArray[Any]) -> NDArray[Any]:
    if values.ndim == 2:
        return values[None]
    if values.ndim == 3 and values.shape[2] in (1, 3):
        return values.transpose(2, 0, 1)
    if values.ndim == 3 and values.shape[0] in (1, 3):
        return values
    raise InputError(
        "E_NDIM",
        f"an array of shape {values.shape}; expected (H, W), (H, W, 3) or (3, H, W)",
        fix="save one image a file, or give the .npz as a source",
    )


def _window(values: NDArray[Any]) -> tuple[float, float] | None:
    """What becomes 0 and 1 where the values say it themselves; None for percentiles."""
    if values.dtype == np.uint8:
        return 0.0, 255.0
    within = values.size and float(values.min()) >= 0 and float(values.max()) <= 1
    return (0.0, 1.0) if within and values.dtype.kind in "bf" else None


def _unit(values: NDArray[Any]) -> tuple[Pixels, tuple[str, ...]]:
    """(C, H, W) in 0..1 and what was done."""
    window = _window(values)
    if window is not None:
        return np.ascontiguousarray(to_unit(values, *window)), ()
    pixels, text = stretch(values)
    return pixels, (f"{values.dtype} values {text}",)
