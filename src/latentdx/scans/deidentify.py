"""Pseudonyms: the same person gets the same name within one key, and no way leads back."""

from __future__ import annotations

import functools
import hashlib
import os
import secrets
from pathlib import Path

from latentdx.core.errors import StopError

_KEY_BYTES = 32


def pseudonym(value: str | None, key: bytes, kind: str) -> str | None:
    """Sixteen hex digits for an identifier, or None where it is blank.

    Keyed BLAKE2b (RFC 7693): without the key nobody can test a guess. `kind` (``patient``,
    ``study``, ``series``, ``site``) keeps equal identifiers of different things apart.

    Examples
    --------
    >>> pseudonym("4711", b"k" * 32, "patient") == pseudonym(" 4711 ", b"k" * 32, "patient")
    True
    >>> pseudonym("", b"k" * 32, "patient") is None
    True
    """
    text = (value or "").strip(" \0\t\r\n")
    if not text:
        return None
    digest = hashlib.blake2b(text.encode(), digest_size=8, key=key, person=kind.encode()[:16])
    return digest.hexdigest()


def user_key() -> bytes:
    """The 32 secret bytes from which this user's pseudonyms are made.

    Kept in ``$XDG_CONFIG_HOME/latentdx/pseudonym.key`` (default ``~/.config``), or where
    ``LATENTDX_KEY_FILE`` says, readable by the user alone; made at first use. Where the folder
    cannot be written, the key lives in this process only: pseudonyms then differ between runs.
    Raises `StopError` ``E_KEY`` where the file is there but is no key.
    """
    return _key_at(key_path())


def key_path() -> Path:
    """Where the user's key lies (see `user_key`); what belongs to it lies beside it."""
    if named := os.environ.get("LATENTDX_KEY_FILE"):
        return Path(named)
    config = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(config) / "latentdx" / "pseudonym.key"


@functools.cache
def _key_at(path: Path) -> bytes:
    fresh = secrets.token_bytes(_KEY_BYTES)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            _publish(path, fresh)
    except OSError:
        return fresh
    return _read_key(path)


def _publish(path: Path, key: bytes) -> None:
    """Let the file appear whole and once: of two processes at work, one wins and both read it."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(key)
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink(missing_ok=True)


def _read_key(path: Path) -> bytes:
    try:
        key = path.read_bytes()
    except OSError as error:
        raise StopError("E_KEY", f"cannot be read: {error.strerror}", path=path) from None
    if len(key) != _KEY_BYTES:
        raise StopError(
            "E_KEY",
            f"the pseudonym key has {len(key)} bytes, not {_KEY_BYTES}",
            fix="restore it, or remove it to start with new pseudonyms",
            path=path,
        )
    return key
