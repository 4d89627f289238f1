"""The outline of a DICOM data set: how deep it nests, where its pixels lie, where it breaks off.

pydicom recurses into nested sequences and drops an element whose end is missing; so the bytes are
walked once before, without recursion and without keeping anything.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace

from latentdx.core.errors import InputError
from latentdx.scans.limits import Limits

_UNDEFINED = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = (0xFFFE, 0xE000), (0xFFFE, 0xE00D), (0xFFFE, 0xE0DD)
_PIXELS = ((0x7FE0, 0x0008), (0x7FE0, 0x0009), (0x7FE0, 0x0010))
_LONG_VRS = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())


@dataclass(frozen=True)
class Outline:
    """What the walk found.

    Attributes
    ----------
    has_pixels: the data set has an element of pixel data, whole or not.
    breaks: (bytes expected, bytes found) where an element runs past the end, else None.
    tags: of all elements up to the pixels, at every depth, sorted: group << 16 | element.
    """

    has_pixels: bool = False
    breaks: tuple[int, int] | None = None
    tags: tuple[int, ...] = ()


@dataclass
class _Walk:
    data: bytes
    position: int
    implicit: bool
    endian: str
    # One entry an open sequence or item: (is a sequence, its end or None, implicit VR outside it).
    stack: list[tuple[bool, int | None, bool]] = field(default_factory=list)
    seen: set[tuple[int, int]] = field(default_factory=set)

    def tag(self, position: int) -> tuple[int, int]:
        group, element = struct.unpack_from(self.endian + "HH", self.data, position)
        return group, element

    def number(self, form: str, position: int) -> int:
        return int(struct.unpack_from(self.endian + form, self.data, position)[0])

    def depth(self) -> int:
        return sum(is_sequence for is_sequence, _, _ in self.stack)

    def push(self, *, is_sequence: bool, length: int, implicit: bool) -> None:
        end = None if length == _UNDEFINED else self.position + length
        self.stack.append((is_sequence, end, self.implicit))
        self.implicit = implicit

    def pop(self) -> bool:
        is_sequence, _, self.implicit = self.stack.pop()
        return is_sequence

    def close(self, *, sequence: bool) -> None:
        """A delimiter closes the innermost container of its kind, and all within."""
        while self.stack and self.pop() != sequence:
            pass

    def close_ended(self) -> None:
        while self.stack and (end := self.stack[-1][1]) is not None and end <= self.position:
            self.pop()


def outline(data: bytes, start: int, *, implicit: bool, little: bool, limits: Limits) -> Outline:
    """Walk the data set that begins at byte `start`, up to its pixel data.

    Raises `InputError` ``E_DEPTH`` where sequences nest too deep, ``E_SIZE`` where there are more
    elements or fragments than any image has.
    """
    walk = _Walk(data, start, implicit, "<" if little else ">")
    found = _walked(walk, limits)
    return replace(found, tags=tuple(sorted(group << 16 | low for group, low in walk.seen)))


def _walked(walk: _Walk, limits: Limits) -> Outline:
    data, depth, left = walk.data, limits.depth, limits.elements
    while walk.position + 8 <= len(data):
        walk.close_ended()
        tag = walk.tag(walk.position)
        left -= 1
        if left < 0:
            raise too_many(limits)
        if tag in (_ITEM, _ITEM_END, _SEQUENCE_END):
            _step_item(walk, tag)
            continue
        walk.seen.add(tag)
        vr, length = _read_header(walk)
        if tag in _PIXELS and not walk.stack:
            return Outline(has_pixels=True, breaks=_pixel_break(walk, length, limits))
        if _is_sequence(walk, vr, length):
            walk.push(is_sequence=True, length=length, implicit=walk.implicit or vr == b"UN")
            if walk.depth() > depth:
                raise InputError("E_DEPTH", f"sequences nest deeper than {depth}")
        elif (end := _value_end(walk, length)) > len(data):
            return Outline(breaks=(end, len(data)))
        else:
            walk.position = end
    return Outline(breaks=_cut_off(walk))


def _cut_off(walk: _Walk) -> tuple[int, int] | None:
    """A header, item or sequence that the end of the file leaves open."""
    size = len(walk.data)
    walk.close_ended()
    expected = [size + 8 if end is None else end for _, end, _ in walk.stack]
    if walk.position > size or walk.data[walk.position :].strip(b"\0"):
        expected.append(max(walk.position, size) + 8)
    return (max(expected), size) if expected and max(expected) > size else None


def _step_item(walk: _Walk, tag: tuple[int, int]) -> None:
    length = walk.number("I", walk.position + 4)
    walk.position += 8
    if tag == _ITEM:
        walk.push(is_sequence=False, length=length, implicit=walk.implicit)
    else:
        walk.close(sequence=tag == _SEQUENCE_END)


def _read_header(walk: _Walk) -> tuple[bytes, int]:
    """VR (empty for implicit VR) and length; the position moves on to the value."""
    at = walk.position
    vr = walk.data[at + 4 : at + 6]
    # Some writers switch to implicit VR inside sequences: no capital letters, no VR.
    if walk.implicit or not (vr.isalpha() and vr.isupper()):
        walk.position += 8
        return b"", walk.number("I", at + 4)
    if vr not in _LONG_VRS:
        walk.position += 8
        return vr, walk.number("H", at + 6)
    walk.position += 12
    whole = at + 12 <= len(walk.data)
    return vr, walk.number("I", at + 8) if whole else 0


def _is_sequence(walk: _Walk, vr: bytes, length: int) -> bool:
    if vr == b"SQ" or (vr == b"UN" and length == _UNDEFINED):
        return True
    holds_item = length >= 8 and walk.position + 4 <= len(walk.data)
    return vr == b"" and holds_item and walk.tag(walk.position) == _ITEM


def _value_end(walk: _Walk, length: int) -> int:
    if length != _UNDEFINED:
        return walk.position + length
    delimiter = struct.pack(walk.endian + "HHI", *_SEQUENCE_END, 0)
    found = walk.data.find(delimiter, walk.position)
    return (len(walk.data) if found < 0 else found) + 8


def too_many(limits: Limits) -> InputError:
    """The refusal of a file with more elements or fragments than allowed."""
    found = f"more than {limits.elements} elements, items or fragments"
    return InputError("E_SIZE", found, fix="check where the file comes from, or raise the limits")


def _pixel_break(walk: _Walk, length: int, limits: Limits) -> tuple[int, int] | None:
    """Where the pixel data run past the end of the file; encapsulated data by their fragments."""
    found, end = len(walk.data), walk.position
    if length != _UNDEFINED:
        end += length
        return (end, found) if end > found else None
    for _ in range(limits.elements):
        if end + 8 > found:
            return end + 8, found
        tag, size = walk.tag(end), walk.number("I", end + 4)
        if tag != _ITEM:
            return None
        end += 8 + size
    raise too_many(limits)
