"""Mutants: files as disks, networks, careless programs and attackers make them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

import numpy as np

Rng = np.random.Generator
_EXTREMES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_FORMS = ("<H", ">H", "<I", ">I", "<B", "<Q", ">Q")


def mutant(data: bytes, others: Sequence[bytes], rng: Rng) -> bytes:
    """`data` changed once or a few times, in one of six ways each time."""
    for _ in range(int(rng.choice((1, 1, 1, 2, 4)))):
        change = _CHANGES[int(rng.integers(len(_CHANGES)))]
        data = change(data, others, rng) or b"\0"
    return data


def _place(data: bytes, rng: Rng) -> int:
    """Half of all changes hit the first bytes, where headers are."""
    end = len(data) if rng.random() < 0.5 else min(len(data), 512)
    return int(rng.integers(end))


def _flip(data: bytes, others: Sequence[bytes], rng: Rng) -> bytes:
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 9))):
        changed[_place(data, rng)] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _truncate(data: bytes, others: Sequence[bytes], rng: Rng) -> bytes:
    return data[: _place(data, rng)]


def _number(data: bytes, others: Sequence[bytes], rng: Rng) -> bytes:
    """A length, count or offset becomes an extreme one, or another by a little."""
    form = _FORMS[int(rng.integers(len(_FORMS)))]
    size = struct.calcsize(form)
    at = _place(data, rng) & ~1
    if at + size > len(data):
        return data
    (old,) = struct.unpack_from(form, data, at)
    near = old + int(rng.integers(-3, 4))
    new = near if rng.random() < 0.3 else _EXTREMES[int(rng.integers(len(_EXTREMES)))]
    return data[:at] + struct.pack(form, new % (1 << 8 * size)) + data[at + size :]


def _splice(data: bytes, others: Sequence[bytes], rng: Rng) -> bytes:
    """The head of one file and the tail of another."""
    other = others[int(rng.integers(len(others)))]
    return data[: _place(data, rng)] + other[_place(other, rng) :]


def _repeat(data: bytes, others: Sequence[bytes], rng: Rng) -> bytes:
    """A piece once more, or many times."""
    at, size = _place(data, rng), int(rng.integers(1, 300))
    times = int(rng.choice((1, 2, 50)))
    return data[:at] + data[at : at + size] * times + data[at:]


def _drop(data: bytes, others: Sequence[bytes], rng: Rng) -> bytes:
    at = _place(data, rng)
    return data[:at] + data[at + int(rng.integers(1, 64)) :]


_CHANGES: tuple[Callable[[bytes, Sequence[bytes], Rng], bytes], ...] = (
    _flip, _flip, _truncate, _number, _number, _splice, _repeat, _drop,
)  # fmt: skip
