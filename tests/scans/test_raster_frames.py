"""Animations and pages: refused, or each a scan of its own, one at a time."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from dicom_files import KEY
from PIL import Image
from raster_files import encode, tiff_pages

from latentdx.core.errors import InputError
from latentdx.scans.open import open_scan, open_scans
from latentdx.scans.policy import Policy
from latentdx.scans.scan import Scan

Read = Callable[..., Scan]
Refuse = Callable[..., InputError]
RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)


def frames_of(form: str) -> tuple[list[np.ndarray], bytes]:
    levels = [np.full((12, 16), level, np.uint8) for level in (10, 90, 200)]
    for number, level in enumerate(levels):
        level[number] = 255
    images = [Image.fromarray(level) for level in levels]
    if form == "TIFF":
        return levels, tiff_pages(levels)
    options = {"lossless": True} if form == "WebP" else {}
    data = encode(images[0], form, save_all=True, append_images=images[1:], **options)
    return levels, data


@pytest.mark.parametrize("form", ["TIFF", "GIF", "PNG", "WebP"])
def test_several_frames(form: str, tmp_path: Path, refuse: Refuse) -> None:
    levels, data = frames_of(form)
    assert refuse(data).code == "E_NDIM"
    (tmp_path / "each").write_bytes(data)
    scans = list(open_scans([tmp_path / "each"], key=KEY, policy=Policy(frames="each")))
    assert [scan.frame for scan in scans] == ["page/0", "page/1", "page/2"]
    for scan, level in zip(scans, levels, strict=True):
        assert np.abs(scan.pixels[0] - level / 255).max() < 0.01
    for policy in (Policy(frames="volume"), Policy(every=1), Policy(dims=3)):
        with pytest.raises(InputError) as caught:
            open_scan(tmp_path / "each", key=KEY, policy=policy)
        assert caught.value.code == "E_NDIM"


def test_pages_are_decoded_one_at_a_time(tmp_path: Path) -> None:
    pages = [np.full((8, 8), number % 256, np.uint8) for number in range(300)]
    (tmp_path / "a").write_bytes(tiff_pages(pages))
    scans = open_scans([tmp_path / "a"], key=KEY, policy=Policy(frames="each"))
    assert [next(scans).frame for _ in range(3)] == ["page/0", "page/1", "page/2"]
    assert sum(1 for _ in scans) == 297


def test_copies_in_lower_resolution_are_no_pages(read: Read) -> None:
    assert np.array_equal(read(_pyramid()).pixels[0], RAMP / np.float32(255))


def _pyramid() -> bytes:
    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        writer.write(RAMP, metadata=None)
        writer.write(RAMP[::2, ::2], metadata=None, subfiletype=1)
    return buffer.getvalue()
