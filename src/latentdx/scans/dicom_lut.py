"""`Lut`: a DICOM look-up table of grey values (Modality LUT, VOI LUT) and its raw words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.core.errors import InputError


@dataclass(frozen=True)
class Lut:
    """Entries for the values from `first` on (PS3.3 C.11.1.1 and C.11.2.1.1).

    Values below take the first entry, values above the last. `bits` is the depth of an entry.
    """

    entries: NDArray[np.uint16]
    first: int
    bits: int

    def apply(self, values: NDArray[Any]) -> NDArray[np.uint16]:
        """The entry of every value, the shape kept; fractions are rounded first.

        Examples
        --------
        >>> table = Lut(np.array([7, 8, 9], np.uint16), first=-1, bits=4)
        >>> table.apply(np.array([-5, 0, 5])).tolist()
        [7, 8, 9]
        """
        whole = np.rint(values) if values.dtype.kind == "f" else values
        index = whole.astype(np.int64) - self.first
        return self.entries[np.clip(index, 0, len(self.entries) - 1)]


def read_lut(item: Any, *, little: bool, signed: bool) -> Lut:
    """The table of one item of a Modality or VOI LUT Sequence.

    `signed` tells whether the values to look up may be negative. Raises `InputError` ``E_DECODE``.
    """
    descriptor, data = item.get("LUTDescriptor"), item.get("LUTData")
    if descriptor is None or len(descriptor) != 3 or data is None:
        raise InputError("E_DECODE", "a look-up table without its descriptor or data")
    count, first, bits = (int(number) for number in descriptor)
    count = count or 1 << 16
    entries = words(data, count, little=little)
    if len(entries) < count or not 1 <= bits <= 16:
        raise InputError(
            "E_DECODE", f"a look-up table of {count} entries of {bits} bits holds {len(entries)}"
        )
    # Some writers tell 16 bits for every table: entries that are deeper than told tell themselves.
    depth = max(bits, int(entries.max()).bit_length())
    return Lut(entries[:count], first - (1 << 16) * (signed and first >= 1 << 15), depth)


def words(data: Any, count: int, *, little: bool) -> NDArray[np.uint16]:
    """Raw table data as at least `count` numbers, where they hold as many.

    Numbers that are already parsed stay; bytes are 16-bit words, or 8-bit entries where there are
    too few bytes for words.
    """
    if not isinstance(data, bytes):
        return np.atleast_1d(np.asarray(data, np.int64)).astype(np.uint16)
    if len(data) >= 2 * count:
        return np.frombuffer(data, "<u2" if little else ">u2", len(data) // 2).astype(np.uint16)
    entries = np.frombuffer(data[: len(data) - len(data) % 2], np.uint16)
    entries = entries if little else entries.byteswap()
    tail = data[len(entries) * 2 :]
    return np.frombuffer(entries.tobytes() + tail, np.uint8).astype(np.uint16)
