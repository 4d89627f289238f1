"""Whether Pillow filled up a JPEG picture whose data end before the picture does."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from latentdx.scans.codestream import read_codestream
from latentdx.scans.jpeg_end import require_whole_scan

_BLOCK = 8  # rows and columns that JPEG codes together (ITU-T T.81, A.1.1)


def require_unfilled(data: bytes, samples: NDArray[Any]) -> None:
    """Raise `InputError` ``E_TRUNCATED`` where the end of the picture is made up.

    `samples` are (H, W) or (H, W, C), as Pillow decodes `data`. What libjpeg fills in is flat; only
    a picture whose last block is flat, or that has restart markers, is worth the second decoding
    that tells (see `latentdx.scans.jpeg_end`).
    """
    found = read_codestream(data)
    if found is None:
        return
    rows, columns = samples.shape[:2]
    last = samples[(rows - 1) // _BLOCK * _BLOCK :, (columns - 1) // _BLOCK * _BLOCK :]
    if found.restart_every or (last == last[0, 0]).all():
        require_whole_scan(data, found, samples, _decode)


def _decode(stream: bytes) -> NDArray[Any]:
    try:
        with Image.open(io.BytesIO(stream), formats=["JPEG"]) as image:
            return np.asarray(image)
    except (OSError, SyntaxError) as error:
        raise ValueError("not decoded") from error
