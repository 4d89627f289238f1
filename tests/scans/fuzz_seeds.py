"""Small sound files, one for each reader and encoding, from which mutants are made."""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable

import imagecodecs
import numpy as np
from bad_input_dicom import nested
from bad_input_row import archive
from bad_input_volumes import VOXELS, mha, nifti, nrrd
from dicom_files import dicom_bytes, pydicom_file
from PIL import Image
from pydicom.uid import DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian
from raster_files import chunk, encode, oriented, picture, png, tiff, tiff_pages

RNG = np.random.default_rng(11)
GREY = RNG.integers(0, 256, (20, 24), dtype=np.uint8)
SMOOTH = np.add.outer(np.arange(20), np.arange(24)).astype(np.uint8) * 5
DEEP = RNG.integers(0, 4096, (20, 24), dtype=np.uint16)
COLOUR = RNG.integers(0, 256, (20, 24, 3), dtype=np.uint8)
SHIPPED = (
    "MR_small_RLE.dcm", "MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm",
    "MR_small_bigendian.dcm", "SC_rgb_small_odd_jpeg.dcm", "JPGExtended.dcm",
    "JPEG2000-embedded-sequence-delimiter.dcm", "SC_rgb_rle_2frame.dcm", "nested_priv_SQ.dcm",
)  # fmt: skip


def images() -> dict[str, bytes]:
    """2-D seeds by name."""
    return {**_dicom(), **_pictures(), **_tiffs(), "npy": npy(DEEP), "npy-float": npy(GREY / 255)}


def volumes() -> dict[str, bytes]:
    """3-D seeds by name."""
    packed = VOXELS.tobytes(order="F")
    return {
        "nii": nifti(),
        "nii.gz": _zipped(nifti()),
        "nii-in-gz": nifti(),
        "nrrd": nrrd(),
        "nrrd-gzip": nrrd(_zipped(packed), encoding="gzip"),
        "mha": mha(),
        "mha-packed": mha(zlib.compress(packed), CompressedData="True"),
        "npy-volume": npy(VOXELS),
        "dicom-frames": dicom_bytes(np.tile(DEEP, (3, 1)), Rows=20, NumberOfFrames=3),
    }


def archives() -> dict[str, bytes]:
    """Seeds in MedMNIST's layout."""
    found = {}
    for name, save in (("npz", np.savez), ("npz-packed", np.savez_compressed)):
        buffer = io.BytesIO()
        save(buffer, images=np.stack([GREY, GREY]), labels=np.arange(2))
        found[name] = buffer.getvalue()
    return {**found, "npy-in-npz": npy(GREY)}


def finish(name: str, data: bytes) -> bytes:
    """A mutant whose checksums are right again, so that decoders behind them see it."""
    if name.startswith(("png", "apng")):
        return _with_checksums(data)
    return PACKED[name](data) if name in PACKED else data


def _with_checksums(data: bytes) -> bytes:
    """A PNG's chunks, as far as they can be followed, each with its own checksum."""
    sound, at = bytearray(data), 8
    while at + 12 <= len(data):
        end = at + 8 + int.from_bytes(data[at : at + 4], "big")
        if end + 4 > len(data):
            break
        sound[end : end + 4] = zlib.crc32(data[at + 4 : end]).to_bytes(4, "big")
        at = end + 4
    return bytes(sound)


def npy(values: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


def _zipped(data: bytes) -> bytes:
    machine = zlib.compressobj(6, zlib.DEFLATED, 31)
    return machine.compress(data) + machine.flush()


def _dicom() -> dict[str, bytes]:
    window = {"WindowCenter": 2000, "WindowWidth": 900, "RescaleSlope": "2"}
    return {
        "dicom": dicom_bytes(DEEP, Modality="CT", RescaleIntercept="-1024", **window),
        "dicom-implicit": dicom_bytes(DEEP, syntax=ImplicitVRLittleEndian),
        "dicom-deflated": dicom_bytes(DEEP, syntax=DeflatedExplicitVRLittleEndian),
        "dicom-in-deflate": _PLAIN[_after_meta(_PLAIN) :],
        "dicom-colour": dicom_bytes(COLOUR),
        "dicom-nested": nested(8, closed=True) + dicom_bytes(GREY)[330:],
        **{name: pydicom_file(name).read_bytes() for name in SHIPPED},
    }


def _pictures() -> dict[str, bytes]:
    frames = [Image.fromarray(GREY), Image.fromarray(GREY[::-1])]
    several = {"save_all": True, "append_images": frames[1:]}
    rgba = np.dstack([COLOUR, GREY])
    cmyk = Image.fromarray(COLOUR).convert("CMYK")
    palette = Image.fromarray(COLOUR).quantize(9)
    found = {
        "png": picture(GREY),
        "png-16": png(DEEP),
        "png-colour-16": png(COLOUR.astype(np.uint16) * 257),
        "png-rgba": png(
            rgba, chunk(b"tEXt", b"a\0b"), chunk(b"zTXt", b"a\0\0" + zlib.compress(b"b"))
        ),
        "png-palette": encode(palette, transparency=3),
        "apng": encode(frames[0], "PNG", **several),
        "jpeg": oriented(SMOOTH, 6, "JPEG"),
        "jpeg-colour": picture(COLOUR, "JPEG", progressive=True),
        "jpeg-cmyk": encode(cmyk, "JPEG"),
        "jpeg-12": imagecodecs.jpeg8_encode(DEEP, bitspersample=12, level=95),
        "bmp": picture(GREY, "BMP"),
        "bmp-colour": picture(COLOUR, "BMP"),
        "webp": picture(COLOUR, "WebP"),
        "webp-lossless": picture(rgba, "WebP", lossless=True),
        "webp-frames": encode(frames[0], "WebP", **several),
        "gif": picture(GREY, "GIF"),
        "gif-frames": encode(frames[0], "GIF", **several),
    }
    return found


def _tiffs() -> dict[str, bytes]:
    deep = COLOUR.astype(np.uint16) * 257
    table = RNG.integers(0, 65536, (3, 256), dtype=np.uint16)
    return {
        "tiff": tiff(GREY),
        "tiff-colour": tiff(deep, compression="lzw", predictor=True),
        "tiff-tiles": tiff(deep, tile=(16, 16), compression="zlib"),
        "tiff-planes": tiff(deep.transpose(2, 0, 1), photometric="rgb", planarconfig="separate"),
        "tiff-float": tiff(GREY.astype(np.float32), compression="zlib", predictor=True),
        "tiff-big": tiff(DEEP, bigtiff=True, byteorder=">"),
        "tiff-jpeg": tiff(COLOUR, compression="jpeg", photometric="ycbcr"),
        "tiff-packbits": tiff(GREY, compression="packbits", photometric="miniswhite"),
        "tiff-palette": tiff(GREY, photometric="palette", colormap=table),
        "tiff-pages": tiff_pages([GREY, GREY[::-1]]),
        "tiff-fax": encode(Image.fromarray(GREY).convert("1"), "TIFF", compression="group4"),
        "tiff-cmyk": encode(Image.fromarray(COLOUR).convert("CMYK"), "TIFF"),
    }


def _deflated(body: bytes) -> bytes:
    machine = zlib.compressobj(6, zlib.DEFLATED, -15)
    return _DEFLATED_META + machine.compress(body) + machine.flush()


def _after_meta(whole: bytes) -> int:
    return 144 + int.from_bytes(whole[140:144], "little")


_PLAIN = dicom_bytes(DEEP)
_DEFLATED_META = dicom_bytes(DEEP, syntax=DeflatedExplicitVRLittleEndian)
_DEFLATED_META = _DEFLATED_META[: _after_meta(_DEFLATED_META)]
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "nii-in-gz": _zipped,
    "dicom-in-deflate": _deflated,
    "npy-in-npz": lambda data: archive({"images.npy": data}),
}
"""Seeds that are packed after the mutation."""
