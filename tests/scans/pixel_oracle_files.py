"""DICOM files in every common encoding, made from known arrays by pydicom and by DCMTK."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
from dicom_files import dataset_bytes, dicom_bytes
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import JPEG2000, HTJ2KLossless, JPEG2000Lossless

Y, X = np.mgrid[:46, :38]


@dataclass(frozen=True)
class Made:
    """A file, and the array (F, H, W[, 3]) that it was made of, as its header stores it."""

    path: Path
    source: Any


def made_files(folder: Path) -> Iterator[Made]:
    """All of them, written as they are taken."""
    for plain in _plain_files(folder):
        yield plain
        yield from _by_dcmtk(plain)
    yield from _jpeg_2000(folder)
    yield from _floats(folder)


def _write(folder: Path, name: str, data: bytes, source: Any) -> Made:
    path = folder / f"{name}.dcm"
    path.write_bytes(data)
    return Made(path, source)


def _ramp(bits: int) -> np.ndarray:
    return (X * 7919 + Y * 104729) % (1 << bits)


def _grey_arrays() -> Iterator[tuple[str, np.ndarray, dict[str, Any]]]:
    for bits in (8, 10, 12, 15, 16):
        cell = np.uint8 if bits == 8 else np.uint16
        stored = {"BitsStored": bits, "HighBit": bits - 1}
        ramp = _ramp(bits).astype(cell)
        yield f"u{bits}", ramp, stored
        if bits > 8:
            yield f"s{bits}", (ramp.astype(np.int32) - (1 << (bits - 1))).astype(np.int16), stored
    yield "s8", (_ramp(8) - 128).astype(np.int8), {}
    yield "u32", (_ramp(16) * 65521).astype(np.uint32), {}
    yield "s32", (_ramp(16) * 65521 - (1 << 31)).astype(np.int32), {}
    smooth = (2000 + 1500 * np.sin(X / 9) * np.cos(Y / 7)).astype(np.uint16)
    yield "smooth12", smooth, {"BitsStored": 12, "HighBit": 11}
    yield "smooth8", (smooth >> 4).astype(np.uint8), {}


def _plain_files(folder: Path) -> Iterator[Made]:
    for name, array, tags in _grey_arrays():
        yield _write(folder, name, dicom_bytes(array, **tags), array[None])
    twelve = _ramp(12).astype(np.uint16)
    inverted = dicom_bytes(
        twelve, BitsStored=12, HighBit=11, PhotometricInterpretation="MONOCHROME1"
    )
    yield _write(folder, "mono1", inverted, twelve[None])
    dirty = dicom_bytes(twelve | np.uint16(0xA000), BitsStored=12, HighBit=11)
    yield _write(folder, "dirty12", dirty, twelve[None])
    shifted = dicom_bytes(twelve << np.uint16(4), BitsStored=12, HighBit=15)
    yield _write(folder, "high15", shifted, twelve[None])
    frames = np.stack([twelve, twelve[::-1], twelve[:, ::-1]])
    several = dicom_bytes(
        twelve, BitsStored=12, HighBit=11, NumberOfFrames="3", PixelData=frames.tobytes()
    )
    yield _write(folder, "frames12", several, frames)
    yield from _colour_files(folder)
    yield from _one_bit(folder)


def _one_bit(folder: Path) -> Iterator[Made]:
    bits = (_ramp(3) == 3).astype(np.uint8)
    frames = np.stack([bits[:45, :37], bits[1:, 1:]])  # no whole number of bytes a frame
    packed = np.packbits(frames, bitorder="little").tobytes()
    data = dicom_bytes(
        frames[0], BitsAllocated=1, BitsStored=1, HighBit=0, NumberOfFrames="2",
        PixelData=packed + b"\0" * (len(packed) % 2),
    )  # fmt: skip
    yield _write(folder, "one_bit", data, frames)


def _colour_files(folder: Path) -> Iterator[Made]:
    rgb = np.stack([X * 6, Y * 5, (X + Y) * 3], axis=-1).astype(np.uint8)
    yield _write(folder, "rgb", dicom_bytes(rgb), rgb[None])
    planes = rgb.transpose(2, 0, 1)
    by_plane = dicom_bytes(rgb, PlanarConfiguration=1, PixelData=planes.tobytes())
    yield _write(folder, "rgb_planar", by_plane, rgb[None])
    deep = rgb.astype(np.uint16) * 257
    yield _write(folder, "rgb16", dicom_bytes(deep), deep[None])
    two = np.stack([rgb, rgb[::-1]])
    frames = dicom_bytes(rgb, NumberOfFrames="2", PixelData=two.tobytes())
    yield _write(folder, "rgb_frames", frames, two)
    yield _write(folder, "ybr_full", dicom_bytes(rgb, PhotometricInterpretation="YBR_FULL"), None)
    halves = np.concatenate([rgb[:, 0::2, :1], rgb[:, 1::2, :1], rgb[:, 0::2, 1:]], axis=-1)
    for name in ("YBR_FULL_422", "YBR_PARTIAL_422"):
        data = dicom_bytes(rgb, PhotometricInterpretation=name, PixelData=halves.tobytes())
        yield _write(folder, name.lower(), data, None)
    yield from _palettes(folder)


def _palettes(folder: Path) -> Iterator[Made]:
    index = _ramp(8).astype(np.uint8)
    for bits, first, name in (
        (16, 0, "palette16"),
        (8, 0, "palette8"),
        (16, 40, "palette_from_40"),
    ):
        count = 256 if first == 0 else 100
        entries = np.linspace(0, (1 << bits) - 1, count).astype(
            np.uint16 if bits == 16 else np.uint8
        )
        tables = [entries, entries[::-1], entries // 2]
        yield _write(folder, name, _palette_file(index, tables, first, bits), None)
    line = np.rint(np.linspace(1000, 64000, 127)[1:]), np.rint(np.linspace(8, 64000, 127)[1:])
    table = np.concatenate([[0, 1000], line[0], [9, 8], line[1]])
    colours = np.repeat(table[index][..., None], 3, axis=-1)
    yield _write(folder, "palette_segmented", _segmented_file(index), colours[None])


def _palette_file(index: np.ndarray, tables: list[np.ndarray], first: int, bits: int) -> bytes:
    tags: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for colour, table in zip(("Red", "Green", "Blue"), tables, strict=True):
        tags[f"{colour}PaletteColorLookupTableDescriptor"] = [len(table), first, bits]
        tags[f"{colour}PaletteColorLookupTableData"] = table.tobytes()
    return dicom_bytes(index, **tags)


def _segmented_file(index: np.ndarray) -> bytes:
    discrete, linear = [0, 2, 0, 1000], [1, 126, 64000]
    indirect = [2, 1, 2 * len(discrete), 0]  # the linear segment once more, by its byte offset
    table = np.array([*discrete, *linear, 0, 2, 9, 8, *indirect], np.uint16).tobytes()
    tags: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for colour in ("Red", "Green", "Blue"):
        tags[f"{colour}PaletteColorLookupTableDescriptor"] = [256, 0, 16]
        tags[f"Segmented{colour}PaletteColorLookupTableData"] = table
    return dicom_bytes(index, **tags)


_JPEG = {
    "sv1": ("dcmcjpeg", "+e1"),
    **{f"sel{value}": ("dcmcjpeg", "+el", "+sv", str(value)) for value in range(1, 8)},
    "baseline": ("dcmcjpeg", "+eb"),
    "extended": ("dcmcjpeg", "+ee"),
    "jls": ("dcmcjpls", "+el"),
    "jls_near": ("dcmcjpls", "+en"),
    "rle": ("dcmcrle",),
    "implicit": ("dcmconv", "+ti"),
    "big": ("dcmconv", "+tb"),
    "deflated": ("dcmconv", "+td"),
    "fragments": ("dcmcjpls", "+el", "+fs", "1"),
    "no_offsets": ("dcmcjpls", "+el", "-ot"),
}
_COLOUR_ONLY = {
    "rgb_baseline": ("dcmcjpeg", "+eb", "+cr"),
    "s4": ("dcmcjpeg", "+eb", "+s4"),
    "n1": ("dcmcjpeg", "+eb", "+n1"),
    "jls_sample": ("dcmcjpls", "+is"),
    "jls_none": ("dcmcjpls", "+in"),
    "jls_line": ("dcmcjpls", "+il"),
}
_LOSSY = ("baseline", "extended", "jls_near", "rgb_baseline", "s4", "n1")
_SMOOTH_ONLY = ("baseline", "extended")
_FEW = ("fragments", "no_offsets", "sel2", "sel3", "sel4", "sel5", "sel6", "sel7")


def _by_dcmtk(plain: Made) -> Iterator[Made]:
    name = plain.path.stem
    is_colour = name.startswith(("rgb", "ybr"))
    choices = {**_JPEG, **(_COLOUR_ONLY if is_colour else {})}
    for label, command in choices.items():
        if label in _FEW and name not in ("u12", "s16", "u8", "rgb", "frames12"):
            continue
        if label in _SMOOTH_ONLY and not (is_colour or name.startswith("smooth")):
            continue
        target = plain.path.with_name(f"{name}_{label}.dcm")
        done = subprocess.run([*command, "-q", str(plain.path), str(target)], check=False,
                              capture_output=True)  # fmt: skip
        if done.returncode == 0 and target.exists():
            yield Made(target, None if label in _LOSSY else plain.source)


def _jpeg_2000(folder: Path) -> Iterator[Made]:
    for name, array, tags in _grey_arrays():
        if array.dtype.itemsize > 2:
            continue
        for syntax, label in ((JPEG2000Lossless, "j2k"), (JPEG2000, "j2k_lossy")):
            if label == "j2k_lossy" and not name.startswith("smooth"):
                continue
            plain = dicom_bytes(array, **tags)
            yield _pydicom_encoded(folder, f"{name}_{label}", plain, array[None], syntax)
        bits = tags.get("BitsStored", 8)
        stream = imagecodecs.htj2k_encode(array, reversible=True) if bits in (8, 16) else None
        if stream is not None:
            data = dicom_bytes(array, **tags, syntax=HTJ2KLossless, PixelData=encapsulate([stream]))
            yield _write(folder, f"{name}_htj2k", data, array[None])
    rgb = np.stack([X * 6, Y * 5, (X + Y) * 3], axis=-1).astype(np.uint8)
    yield _pydicom_encoded(folder, "rgb_j2k", dicom_bytes(rgb), rgb[None], JPEG2000Lossless)
    two = np.stack([rgb, rgb[::-1]])
    frames = dicom_bytes(rgb, NumberOfFrames="2", PixelData=two.tobytes())
    yield _pydicom_encoded(folder, "rgb_frames_j2k", frames, two, JPEG2000Lossless)


def _pydicom_encoded(folder: Path, name: str, data: bytes, source: Any, syntax: str) -> Made:
    ds = pydicom.dcmread(io.BytesIO(data))
    options = {"j2k_psnr": [60]} if syntax == JPEG2000 else {}
    ds.compress(syntax, **options)
    return _write(folder, name, dataset_bytes(ds), source)


SHOWN: dict[str, dict[str, Any]] = {
    "linear": {"WindowCenter": "1500", "WindowWidth": "700"},
    "narrow": {"WindowCenter": "2000", "WindowWidth": "1"},
    "several": {"WindowCenter": ["1500", "9"], "WindowWidth": ["700", "3"]},
    "sigmoid": {"WindowCenter": "1800", "WindowWidth": "900", "VOILUTFunction": "SIGMOID"},
    "rescaled": {"WindowCenter": "40", "WindowWidth": "400", "RescaleSlope": "0.5",
                 "RescaleIntercept": "-1024"},
    "falling": {"WindowCenter": "-1000", "WindowWidth": "900", "RescaleSlope": "-1",
                "RescaleIntercept": "0"},
    "inverted": {"WindowCenter": "1500", "WindowWidth": "700",
                 "PhotometricInterpretation": "MONOCHROME1"},
    "modality_lut": {"ModalityLUTSequence": 12, "WindowCenter": "2000", "WindowWidth": "900"},
    "voi_lut": {"VOILUTSequence": 12},
    "voi_lut_16": {"VOILUTSequence": 16},
}  # fmt: skip
"""Tags of files that differ in how they want to be shown; a number stands for a LUT so deep."""


def shown_files(folder: Path) -> Iterator[Path]:
    """One CR file for each of `SHOWN`."""
    smooth = (2000 + 1500 * np.sin(X / 9) * np.cos(Y / 7)).astype(np.uint16)
    for name, tags in SHOWN.items():
        tags = {
            key: _lut(value) if isinstance(value, int) else value for key, value in tags.items()
        }
        data = dicom_bytes(smooth, Modality="CR", BitsStored=12, HighBit=11, **tags)
        yield _write(folder, name, data, None).path


def _lut(bits: int) -> Sequence:
    """A bent curve from 300 on, of 3,000 entries."""
    item = Dataset()
    curve = np.rint(((1 << bits) - 1) * np.linspace(0, 1, 3000) ** 0.5).astype(int)
    item.LUTDescriptor, item.LUTData, item.LUTExplanation = (
        [3000, 300, bits],
        curve.tolist(),
        "test",
    )
    item.ModalityLUTType = "US"
    item["LUTDescriptor"].VR = item["LUTData"].VR = "US"
    return Sequence([item])


def _floats(folder: Path) -> Iterator[Made]:
    for keyword, kind in (("FloatPixelData", np.float32), ("DoubleFloatPixelData", np.float64)):
        values = (np.sin(X / 5) * 1000 + Y).astype(kind)
        tags = {"PixelData": None, keyword: values.tobytes(), "BitsAllocated": values.itemsize * 8}
        array = np.zeros(values.shape, np.uint16)
        for dropped in ("BitsStored", "HighBit", "PixelRepresentation"):
            tags[dropped] = None
        yield _write(folder, keyword.lower(), dicom_bytes(array, **tags), values[None])
