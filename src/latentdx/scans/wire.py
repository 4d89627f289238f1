"""Messages between `sandbox` and `worker`: JSON and raw bytes, nothing that could run code."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from multiprocessing.connection import Connection
from typing import Any, Literal

import numpy as np

from latentdx.core.errors import InputError
from latentdx.scans.clean import CleanFile
from latentdx.scans.own_mask import as_text, from_text
from latentdx.scans.peek import Peek
from latentdx.scans.policy import Policy
from latentdx.scans.profile_options import ProfileOptions
from latentdx.scans.request import Request
from latentdx.scans.scan import Scan
from latentdx.scans.source_header import SourceHeader

Task = Literal["read", "peek", "clean", "header"]
Outcome = tuple[Scan | InputError, ...] | Peek | CleanFile | SourceHeader | InputError

_HEADER_BYTES = 1 << 20
_MOST_BYTES = 1 << 30  # one scan; more would be a worker that is not ours any more
_SCAN_FIELDS = tuple(item.name for item in fields(Scan) if item.name not in ("pixels", "mask"))
_TUPLES = ("native_shape", "spacing_mm", "conversions", "warnings", "present")


def send_json(connection: Connection, value: Any) -> None:
    """One JSON message."""
    connection.send_bytes(json.dumps(value).encode())


def receive_json(connection: Connection) -> Any:
    """One JSON message; `OSError` where it is longer than any of ours."""
    return json.loads(connection.recv_bytes(_HEADER_BYTES))


def order_message(task: Task, request: Request) -> dict[str, Any]:
    """What is wanted of the files that follow."""
    wanted = {"size": request.size, "channels": request.channels, "key": request.key.hex()}
    told = {"policy": asdict(request.policy), "profile": asdict(request.profile)}
    return {"task": task, "request": wanted, **told}


def read_order(message: dict[str, Any]) -> tuple[Task, Request]:
    """`order_message`, undone."""
    wanted = message["request"]
    request = Request(
        wanted["size"],
        wanted["channels"],
        bytes.fromhex(wanted["key"]),
        Policy.from_json(message["policy"]),
        ProfileOptions(**message["profile"]),
    )
    return message["task"], request


def send_outcome(connection: Connection, outcome: Outcome) -> None:
    """What came of a file; the scans of one that holds several follow message by message."""
    if isinstance(outcome, Peek):
        send_json(connection, {"peek": asdict(outcome)})
    elif isinstance(outcome, SourceHeader):
        send_json(connection, {"header": asdict(outcome)})
    elif isinstance(outcome, CleanFile):
        send_json(connection, {"clean": outcome.patient})
        connection.send_bytes(outcome.data)
    elif isinstance(outcome, InputError):
        send_json(connection, {"error": _error_json(outcome)})
    elif not outcome:
        send_json(connection, {"n_items": 0})
    else:
        for item in outcome:
            connection.send_bytes(_item_bytes(item, len(outcome)))


def _item_bytes(item: Scan | InputError, n_items: int) -> bytes:
    """A line of JSON; behind it the pixels as raw float32."""
    if isinstance(item, InputError):
        return json.dumps({"n_items": n_items, "item_error": _error_json(item)}).encode() + b"\n"
    told = {name: getattr(item, name) for name in _SCAN_FIELDS}
    told["mask"] = as_text(item.mask)
    head = json.dumps({"n_items": n_items, "shape": item.pixels.shape, **told}).encode()
    return b"".join((head, b"\n", np.ascontiguousarray(item.pixels, "<f4").data.cast("B")))


def _error_json(error: InputError) -> dict[str, str | None]:
    return {"code": error.code, "found": error.found, "fix": error.fix, "frame": error.path}


def receive_outcome(connection: Connection, path: str) -> Outcome:
    """What `send_outcome` sent; errors get the path back. `EOFError` where the worker died."""
    message = connection.recv_bytes(_MOST_BYTES)
    told = json.loads(message.partition(b"\n")[0])
    if "error" in told:
        return _error(told["error"], path)
    if "peek" in told:
        return Peek(**told["peek"])
    if "header" in told:
        return SourceHeader(**told["header"])
    if "clean" in told:
        return CleanFile(connection.recv_bytes(_MOST_BYTES), told["clean"])
    messages = [message] if told["n_items"] else []
    while len(messages) < told["n_items"]:
        messages.append(connection.recv_bytes(_MOST_BYTES))
    return tuple(_item(message, path) for message in messages)


def _error(told: dict[str, str], path: str, *, is_item: bool = False) -> InputError:
    name = f"{path}#{told['frame']}" if is_item and told["frame"] else path
    return InputError(told["code"], told["found"], fix=told["fix"], path=name)


def _item(message: bytes, path: str) -> Scan | InputError:
    end = message.index(b"\n")
    told = json.loads(message[:end])
    if "item_error" in told:
        return _error(told["item_error"], path, is_item=True)
    shape = told.pop("shape")
    del told["n_items"]
    pixels = np.frombuffer(message, "<f4", offset=end + 1).reshape(shape).copy()  # and aligned
    for name in _TUPLES:
        told[name] = None if told[name] is None else tuple(told[name])
    mask = from_text(told.pop("mask"))
    return Scan(pixels=pixels, mask=mask, **told)
