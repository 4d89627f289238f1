"""Messages between `sandbox` and `worker`: JSON and raw bytes, nothing that could run code."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from latentdx.core.errors import InputError
from latentdx.scans.limits import Limits
from latentdx.scans.request import Request
from latentdx.scans.scan import Scan

Outcome = Scan | InputError

_HEADER_BYTES = 1 << 20
_SCAN_FIELDS = tuple(field.name for field in fields(Scan) if field.name != "pixels")
_TUPLES = ("native_shape", "spacing_mm", "conversions")


def send_json(connection: Connection, value: Any) -> None:
    """One JSON message."""
    connection.send_bytes(json.dumps(value).encode())


def receive_json(connection: Connection) -> Any:
    """One JSON message; `OSError` where it is longer than any of ours."""
    return json.loads(connection.recv_bytes(_HEADER_BYTES))


def setup_message(request: Request, limits: Limits) -> dict[str, Any]:
    """The worker's first message."""
    wanted = {"size": request.size, "channels": request.channels, "key": request.key.hex()}
    return {"request": wanted, "limits": asdict(limits)}


def read_setup(message: dict[str, Any]) -> tuple[Request, Limits]:
    """`setup_message`, undone."""
    wanted = message["request"]
    key = bytes.fromhex(wanted["key"])
    return Request(wanted["size"], wanted["channels"], key), Limits(**message["limits"])


def send_outcome(connection: Connection, outcome: Outcome) -> None:
    """A JSON header, and for a scan its pixels as raw float32 bytes."""
    if isinstance(outcome, InputError):
        send_json(connection, {"code": outcome.code, "found": outcome.found, "fix": outcome.fix})
        return
    header = {name: getattr(outcome, name) for name in _SCAN_FIELDS}
    send_json(connection, {"shape": outcome.pixels.shape, **header})
    connection.send_bytes(np.ascontiguousarray(outcome.pixels, "<f4").data.cast("B"))


def receive_outcome(connection: Connection, path: str) -> Outcome:
    """What `send_outcome` sent; errors get the path back. `EOFError` where the worker died."""
    header = receive_json(connection)
    if "code" in header:
        return InputError(header["code"], header["found"], fix=header["fix"], path=path)
    pixels = np.empty(header.pop("shape"), "<f4")
    received = connection.recv_bytes_into(pixels.data.cast("B"))
    if received != pixels.nbytes:
        raise EOFError
    for name in _TUPLES:
        header[name] = None if header[name] is None else tuple(header[name])
    return Scan(pixels=pixels, **header)
