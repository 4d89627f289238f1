"""`SeenRecord`: which scans a model has seen, for who holds the key of the pseudonyms to ask."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.table import CollectionTable
from latentdx.core.hashing import hash_bytes

Tokens = NDArray[np.uint64]

_SALT_BYTES = 16
_OWN_KEY = "latentdx"


@dataclass(frozen=True)
class SeenRecord:
    """Tokens of pictures and patients: keyed hashes, which mean nothing without the key.

    A plain list of hashes would tell anybody who holds a picture whether it is on it. A token is
    keyed BLAKE2b (RFC 7693) of a short hash, salted, so that two models of one house cannot be
    compared for patients in common either.

    Attributes
    ----------
    salt: 16 bytes.
    check: the token of a fixed word, by which the key is known again.
    labelled: (L,) ascending, of what labels were learned from: train, tune and calibrate.
    unlabelled: (U,) ascending, of what was seen without labels, by what the encoder began from too.
    complete: whether nothing else was seen, as far as records tell.
    """

    salt: bytes
    check: int
    labelled: Tokens
    unlabelled: Tokens
    complete: bool

    @classmethod
    def of(
        cls,
        key: bytes,
        salt: str,
        *,
        labelled: Iterable[str],
        unlabelled: Iterable[str],
        complete: bool,
    ) -> Self:
        """The record of names, see `picture_name` and `patient_name`; `salt` is any text.

        Examples
        --------
        >>> key = b"k" * 32
        >>> record = SeenRecord.of(key, "split", labelled=["ab"], unlabelled=[], complete=True)
        >>> record.has_labelled(["ab", "cd"], key).tolist()
        [True, False]
        >>> record.opens_with(b"other" + bytes(27))
        False
        """
        told = hash_bytes(salt.encode())[: 2 * _SALT_BYTES]
        salted = bytes.fromhex(told)
        found, more = (
            np.sort(_tokens(set(names) - {""}, key, salted)) for names in (labelled, unlabelled)
        )
        return cls(salted, _token(_OWN_KEY, key, salted), found, more, complete)

    def opens_with(self, key: bytes) -> bool:
        """Whether the record was made with this key: with another it knows nobody."""
        return _token(_OWN_KEY, key, self.salt) == self.check

    def has_labelled(self, names: Iterable[str], key: bytes) -> NDArray[np.bool_]:
        """(N,), True for names that labels were learned from; ``""`` is none."""
        return self._has(self.labelled, names, key)

    def has_unlabelled(self, names: Iterable[str], key: bytes) -> NDArray[np.bool_]:
        """(N,), True for names that were seen without labels; ``""`` is none."""
        return self._has(self.unlabelled, names, key)

    def names_any(self, names: Iterable[str], key: bytes) -> bool:
        """Whether one of the names is on it."""
        told = list(names)
        return bool((self.has_labelled(told, key) | self.has_unlabelled(told, key)).any())

    def _has(self, tokens: Tokens, names: Iterable[str], key: bytes) -> NDArray[np.bool_]:
        told = list(names)
        known: NDArray[np.bool_] = np.isin(_tokens(told, key, self.salt), tokens)
        return known & np.array([bool(name) for name in told], np.bool_)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """All of it as named arrays."""
        return {
            "salt": np.frombuffer(self.salt, np.uint8),
            "check": np.array([self.check], np.uint64),
            "labelled": self.labelled,
            "unlabelled": self.unlabelled,
            "complete": np.array([self.complete], np.uint8),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Undo `to_arrays`. Raises KeyError or ValueError where they are none of a record."""
        tokens = [arrays["labelled"], arrays["unlabelled"], arrays["check"]]
        if any(each.dtype != np.uint64 or each.ndim != 1 for each in tokens):
            raise ValueError("tokens of another kind")
        salt = arrays["salt"].astype(np.uint8).tobytes()
        if len(salt) != _SALT_BYTES or len(arrays["check"]) != 1 or len(arrays["complete"]) != 1:
            raise ValueError("a salt or a check of another length")
        check, complete = int(arrays["check"][0]), bool(arrays["complete"][0])
        return cls(salt, check, arrays["labelled"], arrays["unlabelled"], complete)


def picture_name(content_hash: str) -> str:
    """The short name of a picture by its content hash, ``""`` where there is none."""
    return content_hash[:16]


def patient_name(patient: str) -> str:
    """The short name of a patient by the pseudonym, ``""`` where there is none."""
    return hash_bytes(patient.encode())[:16] if patient else ""


def names_of(table: CollectionTable, rows: Iterable[int]) -> list[set[str]]:
    """Of each row the short name of its picture and, where known, of its patient."""
    return [
        {picture_name(str(table.content_hash[row])), patient_name(str(table.patient[row]))} - {""}
        for row in rows
    ]


def _tokens(names: Iterable[str], key: bytes, salt: bytes) -> Tokens:
    return np.array([_token(name, key, salt) for name in names], np.uint64)


def _token(name: str, key: bytes, salt: bytes) -> int:
    digest = hashlib.blake2b(name.encode(), digest_size=8, key=key, salt=salt, person=b"seen")
    return int.from_bytes(digest.digest(), "big")
