"""The outline of a TIFF: its directories walked, each number checked against the file's length."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.scans.picture_header import damaged, truncated

WHITE_IS_ZERO, GREY, RGB, PALETTE, CMYK, YCBCR = 0, 1, 2, 3, 5, 6
"""PhotometricInterpretation (TIFF 6.0, section 8 and part 2)."""

Numbers = NDArray[np.integer[Any]]

_MOST = 1 << 14  # directories: far more than any page limit, and read in under a second
_MOST_PARTS = 1 << 22  # strips or tiles of a page
_MOST_SAMPLES = 64
_TYPES = {1: "u1", 3: "u2", 4: "u4", 6: "i1", 7: "u1", 8: "i2", 9: "i4", 16: "u8", 17: "i8"}
_SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 254, 256, 257, 258, 259, 262
_STRIPS, _ORIENTATION, _SAMPLES, _STRIP_BYTES, _PLANAR = 273, 274, 277, 279, 284
_COLOURS, _TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES = 320, 322, 323, 324, 325
_EXTRA, _FORMAT, _PROFILE = 338, 339, 34675
_WANTED = frozenset({
    _SUBFILE, _WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _STRIPS, _ORIENTATION, _SAMPLES,
    _STRIP_BYTES, _PLANAR, _COLOURS, _TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES, _EXTRA,
    _FORMAT,
})  # fmt: skip
_REDUCED_OR_MASK = 1 | 4


@dataclass(frozen=True)
class Page:
    """One directory that holds a picture of its own.

    Attributes
    ----------
    index: its number among all directories.
    stored: bytes of all its strips or tiles together.
    tile: (height, width) of a tile, or None for strips.
    extra: what the samples beyond the colours are.
    colours: the palette, (3 * 2**bits,), or empty.
    """

    index: int
    height: int
    width: int
    bits: int
    samples: int
    compression: int
    photometric: int
    sample_format: int
    is_planar: bool
    orientation: int
    stored: int
    tile: tuple[int, int] | None
    extra: tuple[int, ...]
    colours: Numbers
    has_profile: bool


@dataclass(frozen=True)
class _Form:
    """Byte order, and the widths that classic and big TIFF give to counts and offsets."""

    data: bytes
    endian: str
    count: str
    number: str

    def get(self, form: str, at: int) -> int:
        if at < 0 or at + struct.calcsize(form) > len(self.data):
            raise truncated(max(at, 0) + struct.calcsize(form), len(self.data))
        return int(struct.unpack_from(self.endian + form, self.data, at)[0])


def pages(data: bytes) -> list[Page]:
    """The pages of a TIFF or BigTIFF, in order; copies in lower resolution and masks left out.

    Raises `InputError` ``E_TRUNCATED`` where a number, strip or tile lies beyond the end, and
    ``E_DECODE`` where the directories form a ring or lack what a picture needs.
    """
    form, at = _form(data)
    found: list[Page] = []
    seen: set[int] = set()
    while at:
        if at in seen or len(seen) >= _MOST:
            raise damaged("the directories of the TIFF have no end")
        tags, following = _directory(form, at)
        kind = int(_first(tags, _SUBFILE, 0))
        if not kind & _REDUCED_OR_MASK or not (found or following):
            found.append(_page(form, tags, len(seen)))
        seen.add(at)
        at = following
    if not found:
        raise damaged("the TIFF has no page")
    return found


def _form(data: bytes) -> tuple[_Form, int]:
    endian = "<" if data[:2] == b"II" else ">"
    classic = _Form(data, endian, "H", "I")
    if classic.get("H", 2) == 42:
        return classic, classic.get("I", 4)
    big = _Form(data, endian, "Q", "Q")
    return big, big.get("Q", 8)


def _directory(form: _Form, at: int) -> tuple[dict[int, Numbers], int]:
    """The wanted tags of one directory (TIFF 6.0, section 2), and where the next one lies."""
    count, width = form.get(form.count, at), struct.calcsize("<" + form.number)
    entry_bytes = 4 + 2 * width
    start = at + struct.calcsize("<" + form.count)
    end = start + count * entry_bytes
    following = form.get(form.number, end)
    tags: dict[int, Numbers] = {}
    for entry in range(start, end, entry_bytes):
        tag = form.get("H", entry)
        if tag == _PROFILE:
            tags[tag] = np.ones(1, np.int64)
        elif tag in _WANTED:
            tags[tag] = _numbers(form, entry, width)
    return tags, following


def _numbers(form: _Form, entry: int, width: int) -> Numbers:
    kind, count = form.get("H", entry + 2), form.get(form.number, entry + 4)
    if kind not in _TYPES:
        raise damaged("a tag of the TIFF is of a wrong type")
    dtype = np.dtype(form.endian + _TYPES[kind])
    at, size = entry + 4 + width, count * dtype.itemsize
    if size > width:
        at = form.get(form.number, at)
    if at + size > len(form.data):
        raise truncated(at + size, len(form.data))
    return np.frombuffer(form.data, dtype, count, at)  # a view: tags may be as large as the file


def _first(tags: dict[int, Numbers], tag: int, default: int) -> int:
    values = tags.get(tag)
    return default if values is None or not len(values) else int(values[0])


def _page(form: _Form, tags: dict[int, Numbers], index: int) -> Page:
    if _WIDTH not in tags or _HEIGHT not in tags or _PHOTOMETRIC not in tags:
        raise damaged("a page of the TIFF has no size or no colours")
    is_tiled = _TILES in tags
    stored = _stored_bytes(form, tags, is_tiled)
    bits = tags.get(_BITS, np.ones(1, np.int64))[:_MOST_SAMPLES]
    if len(set(bits.tolist())) != 1 or not 1 <= bits[0] <= 64:
        raise damaged("the samples of the TIFF differ in bits")
    tile = (_first(tags, _TILE_HEIGHT, 0), _first(tags, _TILE_WIDTH, 0)) if is_tiled else None
    return Page(
        index,
        height=_first(tags, _HEIGHT, 0),
        width=_first(tags, _WIDTH, 0),
        bits=int(bits[0]),
        samples=_first(tags, _SAMPLES, 1),
        compression=_first(tags, _COMPRESSION, 1),
        photometric=_first(tags, _PHOTOMETRIC, 1),
        sample_format=_first(tags, _FORMAT, 1),
        is_planar=_first(tags, _PLANAR, 1) == 2,
        orientation=_first(tags, _ORIENTATION, 1),
        stored=stored,
        tile=tile,
        extra=tuple(tags.get(_EXTRA, np.zeros(0, np.int64))[:_MOST_SAMPLES].tolist()),
        colours=tags.get(_COLOURS, np.zeros(0, np.int64)),
        has_profile=_PROFILE in tags,
    )


def _stored_bytes(form: _Form, tags: dict[int, Numbers], is_tiled: bool) -> int:
    """Every strip or tile lies in the file: libtiff reads absent ones as zeros."""
    empty = np.zeros(0, np.int64)
    starts = tags.get(_TILES if is_tiled else _STRIPS, empty)
    sizes = tags.get(_TILE_BYTES if is_tiled else _STRIP_BYTES, empty)
    if not 0 < len(starts) == len(sizes) <= _MOST_PARTS:
        raise damaged("a page of the TIFF does not say where its data lie")
    starts, sizes = starts.astype(np.int64), sizes.astype(np.int64)
    if starts.min() <= 0 or sizes.min() <= 0:
        raise damaged("a page of the TIFF has parts without data")
    end = int((starts + sizes).max())
    if end > len(form.data):
        raise truncated(end, len(form.data))
    return int(sizes.sum())
