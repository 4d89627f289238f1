"""The way back from pseudonyms to identifiers: a sealed file next to the key, for who may use it.

Off unless asked for: pseudonyms without a map cannot be undone even by the key's owner (other than
by guessing), and a map is the one file whose loss, together with the key, undoes all of it.

Every line is encrypted, then authenticated, under keys derived from the user's key. The standard
library has no AES: the stream is keyed BLAKE2b in counter mode (RFC 7693) under a random nonce, and
the tag is keyed BLAKE2b over nonce and text. Both primitives are standard, their union here is
ours; see ``docs/decisions/0009-deidentification.md``.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from latentdx.core.errors import IntegrityError, StopError
from latentdx.scans.deidentify import key_path, pseudonym

KINDS = ("patient", "study", "series")

_NONCE, _TAG, _BLOCK = 16, 32, 64


@dataclass(frozen=True)
class Identity:
    """One identifier and its pseudonym; `kind` is one of `KINDS`."""

    kind: str
    pseudonym: str
    original: str


def seal_identity(originals: dict[str, str | None], key: bytes) -> str:
    """One printable line that only the key opens, from identifiers by kind; ``""`` for none.

    Workers call it, so that no identifier crosses into another process in the open.

    Examples
    --------
    >>> line = seal_identity({"patient": "4711", "study": None}, b"k" * 32)
    >>> "4711" in line, [found.original for found in open_sealed(line, b"k" * 32)]
    (False, ['4711'])
    """
    named = {kind: text.strip(" \0") for kind, text in originals.items() if text}
    if not any(named.values()):
        return ""
    text = json.dumps(named, sort_keys=True).encode()
    text += b" " * (-len(text) % 64)  # lengths in steps: a short name is not told by its line
    nonce = secrets.token_bytes(_NONCE)
    sealed = nonce + _xor(text, nonce, key)
    return base64.b64encode(sealed + _mac(sealed, key)).decode("ascii")


def open_sealed(line: str, key: bytes) -> list[Identity]:
    """The identities of one line. Raises `IntegrityError` ``E_IDENTITY_MAP`` where the key is
    another, or the line was changed.
    """
    try:
        data = base64.b64decode(line.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise _damaged() from None
    sealed, tag = data[:-_TAG], data[-_TAG:]
    if len(sealed) <= _NONCE or not hmac.compare_digest(tag, _mac(sealed, key)):
        raise _damaged()
    named = json.loads(_xor(sealed[_NONCE:], sealed[:_NONCE], key))
    return [
        Identity(kind, pseudonym(text, key, kind) or "", text)
        for kind, text in named.items()
        if kind in KINDS and text
    ]


class IdentityMap:
    """The sealed file of identities: ``identities.sealed`` beside the user's key, mode 0600.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     known = IdentityMap(b"k" * 32, Path(folder) / "identities.sealed")
    ...     n_added = known.add([seal_identity({"patient": "4711"}, b"k" * 32)])
    ...     print(known.who(pseudonym("4711", b"k" * 32, "patient")))
    4711
    """

    def __init__(self, key: bytes, path: Path | None = None) -> None:
        self._key = key
        self.path = path or key_path().with_name("identities.sealed")

    def add(self, lines: Iterable[str]) -> int:
        """Append sealed lines of identities that are not there yet; the number that was added.

        Raises `StopError` ``E_IO`` where the file cannot be written, `IntegrityError`
        ``E_IDENTITY_MAP`` where a line is not sealed with this key.
        """
        known = {(found.kind, found.pseudonym) for found in self._all()}
        fresh: list[str] = []
        for line in lines:
            names = {(found.kind, found.pseudonym) for found in open_sealed(line, self._key)}
            if not names <= known:
                fresh.append(line)
                known |= names
        if fresh:
            self._append("".join(f"{line}\n" for line in fresh).encode("ascii"))
        return len(fresh)

    def who(self, name: str) -> str | None:
        """The identifier behind a pseudonym, None where the map does not hold it."""
        return next((found.original for found in self._all() if found.pseudonym == name), None)

    def lines_of(self, patient: str) -> int:
        """How many lines name the patient with this pseudonym."""
        return sum(_names(line, patient, self._key) for line in self._lines())

    def forget(self, patient: str) -> int:
        """Remove the lines of the patient with this pseudonym; the number that was removed.

        Raises `StopError` ``E_IO``, `IntegrityError` ``E_IDENTITY_MAP``.
        """
        lines = list(self._lines())
        kept = [line for line in lines if not _names(line, patient, self._key)]
        if len(kept) < len(lines):
            fresh = self.path.with_name(f".{self.path.name}.{secrets.token_hex(8)}")
            try:
                self._create(fresh, "".join(f"{line}\n" for line in kept).encode("ascii"))
                fresh.replace(self.path)
            except OSError as error:
                fresh.unlink(missing_ok=True)
                raise _unwritable(error, self.path) from None
        return len(lines) - len(kept)

    def __len__(self) -> int:
        return len({(found.kind, found.pseudonym) for found in self._all()})

    def _all(self) -> Iterator[Identity]:
        for line in self._lines():
            yield from open_sealed(line, self._key)

    def _lines(self) -> Iterator[str]:
        try:
            text = self.path.read_text(encoding="ascii")
        except FileNotFoundError:
            return
        except (OSError, UnicodeDecodeError):
            raise _damaged(self.path) from None
        # A line without its end was being written when the power went: it was never promised.
        yield from text.split("\n")[:-1]

    def _create(self, path: Path, data: bytes) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    def _append(self, data: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self.path, flags, 0o600)
            with os.fdopen(descriptor, "ab") as file:
                os.fchmod(file.fileno(), 0o600)
                file.truncate(self._whole_bytes())
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise _unwritable(error, self.path) from None

    def _whole_bytes(self) -> int:
        """The length up to the last whole line: a torn one would spoil the next."""
        return self.path.read_bytes().rfind(b"\n") + 1


def _stream(nonce: bytes, n_bytes: int, key: bytes) -> bytes:
    secret = _derived(key, b"seal")
    blocks = (
        hashlib.blake2b(nonce + index.to_bytes(8, "big"), key=secret, digest_size=_BLOCK).digest()
        for index in range(-(-n_bytes // _BLOCK))
    )
    return b"".join(blocks)[:n_bytes]


def _xor(text: bytes, nonce: bytes, key: bytes) -> bytes:
    stream = _stream(nonce, len(text), key)
    return bytes(a ^ b for a, b in zip(text, stream, strict=True))


def _mac(sealed: bytes, key: bytes) -> bytes:
    return hashlib.blake2b(sealed, key=_derived(key, b"tag"), digest_size=_TAG).digest()


def _derived(key: bytes, purpose: bytes) -> bytes:
    return hashlib.blake2b(b"latentdx identity map", key=key, person=purpose).digest()


def _names(line: str, patient: str, key: bytes) -> bool:
    found = open_sealed(line, key)
    return any(one.kind == "patient" and one.pseudonym == patient for one in found)


def _unwritable(error: OSError, path: Path) -> StopError:
    text = f"the identity map cannot be written ({error.strerror})"
    return StopError("E_IO", text, path=path)


def _damaged(path: Path | None = None) -> IntegrityError:
    return IntegrityError(
        "E_IDENTITY_MAP",
        "a line of the identity map was changed, or was sealed with another key",
        fix="use the key that the map was made with",
        path=path,
    )
