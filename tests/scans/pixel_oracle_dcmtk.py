"""DCMTK as an independent reader: its command line tools turn a DICOM frame into a picture.

With a window as wide as the values' whole range, what dcm2pnm writes are the stored values
themselves, as DCMTK decodes and interprets them (bits stored, high bit, sign, codec).
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from imagecodecs import png_decode
from pydicom.uid import JPEGLSLossless, JPEGLSNearLossless, JPEGTransferSyntaxes

PLAIN = ("-il", "-O", "-q")  # not interlaced, no overlays
TOOLS = ("dcm2pnm", "dcmj2pnm", "dcml2pnm", "dcmcjpeg", "dcmcjpls", "dcmcrle", "dcmconv")


def missing_tools() -> list[str]:
    return [tool for tool in TOOLS if shutil.which(tool) is None]


class OracleError(Exception):
    """DCMTK does not read the file."""


def stored_values(
    path: Path, index: int, *, syntax: str, bits: int, signed: bool, inverted: bool
) -> Any:
    """(H, W) stored values of a grey frame, without modality LUT or window.

    `inverted`: the file is MONOCHROME1, which dcm2pnm turns over.
    """
    middle, width = (0 if signed else 1 << (bits - 1)), 1 << bits
    polarity = ("+P",) if inverted else ()
    window = (*polarity, "-M", "+Ww", str(middle), str(width))
    if bits <= 16:
        low = -(1 << (bits - 1)) if signed else 0
        values = _png(path, index, syntax, ("+on2", *window)).astype(np.int64)
        # PNG holds 16 bits: fewer are spread over them, exactly for 8 (257 a step) and 16.
        assert bits in (8, 16)
        return (values // 257 if bits == 8 else values) + low
    words = _run(path, index, syntax, ("+opn", "32", *window)).split()
    columns, rows = int(words[1]), int(words[2])
    values = np.array([int(word) for word in words[4:]], np.int64).reshape(rows, columns)
    return values - (1 << 31 if signed else 0)


def colours(path: Path, index: int, *, syntax: str, deep: bool) -> Any:
    """(H, W, 3) RGB of a frame, of 16 bits where `deep`."""
    return _png(path, index, syntax, ("+on2" if deep else "+on",))


def displayed(path: Path, index: int, *, syntax: str, voi: tuple[str, ...]) -> Any:
    """(H, W) of 8 bits as shown with `voi` (``+Wi 1``, ``+Wl 1``, ``+Ww center width``)."""
    return _png(path, index, syntax, ("+on", *voi))


def is_shown(path: Path) -> bool:
    """Whether DCMTK makes a picture of the file at all."""
    try:
        return bool(_run(path, 0, "", ("+on",)))
    except OracleError:
        return False


def _png(path: Path, index: int, syntax: str, options: tuple[str, ...]) -> Any:
    return png_decode(_run(path, index, syntax, options))


def _run(path: Path, index: int, syntax: str, options: tuple[str, ...]) -> bytes:
    frame = ("+F", str(index + 1))
    command = [_tool(syntax), *PLAIN, *frame, *options, str(path), "/dev/stdout"]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode or not done.stdout:
        raise OracleError(done.stderr.decode(errors="replace")[-200:])
    return done.stdout


def _tool(syntax: str) -> str:
    if syntax in (JPEGLSLossless, JPEGLSNearLossless):
        return "dcml2pnm"
    retired = ("1.2.840.10008.1.2.4.53", "1.2.840.10008.1.2.4.55")
    return "dcmj2pnm" if syntax in (*JPEGTransferSyntaxes, *retired) else "dcm2pnm"
