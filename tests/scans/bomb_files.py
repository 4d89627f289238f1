"""Small files that would cost much: time, memory or both."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable

import numpy as np
from bad_input_arrays import lying, lying_about_its_size, npy, npz_bomb
from bad_input_dicom import changed, deflated, made, nested, restreamed
from bad_input_pictures import huge_bmp, huge_gif, huge_jpeg, huge_png, huge_tiff, huge_webp
from bad_input_row import EACH, VOLUMES, Odd, Row, archive, bad, patched
from bad_input_volumes import dims, mha, nrrd
from dicom_files import dicom_bytes
from PIL import Image
from raster_files import bmp, chunk, encode, picture, png, retagged, tiff, tiff_pages

SMALL = np.arange(256, dtype=np.uint8).reshape(16, 16)
HUGE, LARGE = {"Rows": 65535, "Columns": 65535}, {"Rows": 8000, "Columns": 8000}
GZIP, RAW = 31, -15
RLE, JPEG2000 = "MR_small_RLE.dcm", "MR_small_jp2klossless.dcm"
JPEG_LS, JPEG = "MR_small_jpeg_ls_lossless.dcm", "SC_rgb_jpeg_dcmtk.dcm"


def zeros(mebibytes: int, wbits: int = 15, head: bytes = b"") -> bytes:
    """`head` and zeros, packed a thousand to one; the checksum at the end is not theirs.

    A block that ends in a full flush depends on nothing before it: one serves for all.
    """
    machine = zlib.compressobj(9, zlib.DEFLATED, wbits)
    start = machine.compress(head) + machine.flush(zlib.Z_FULL_FLUSH)
    block = machine.compress(bytes(1 << 20)) + machine.flush(zlib.Z_FULL_FLUSH)
    return start + block * mebibytes + machine.flush()


def _before_pixels(elements: bytes) -> bytes:
    """A sound file with `elements` before its pixels."""
    whole = dicom_bytes(SMALL)
    at = whole.index(b"\xe0\x7f\x10\0")
    return whole[:at] + elements + whole[at:]


def _million_elements(*, pixels: bool) -> bytes:
    one = struct.Struct("<HH2sHH")
    tags = ((0x0041 + 2 * (n >> 15), 0x1000 + (n & 0x7FFF)) for n in range(10**6))
    many = b"".join(one.pack(group, number, b"US", 2, 7) for group, number in tags)
    whole = _before_pixels(many)
    return whole if pixels else whole[: whole.index(b"\xe0\x7f\x10\0")]


def _million_items() -> bytes:
    items = struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 10**6
    head = struct.pack("<HH2sHI", 0x0008, 0x1140, b"SQ", 0, len(items))
    whole = dicom_bytes(SMALL)
    at = whole.index(b"\x08\0\x16\0")
    return whole[:at] + head + items


def _segmented_palette() -> bytes:
    """60 kB of segments (PS3.3 C.7.9.2) that stand for 650 million entries."""
    segments = struct.pack("<HHH", 1, 65535, 9) * 10_000
    tags: dict[str, object] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for colour in ("Red", "Green", "Blue"):
        tags[f"{colour}PaletteColorLookupTableDescriptor"] = [0, 0, 16]
        tags[f"Segmented{colour}PaletteColorLookupTableData"] = segments
    return dicom_bytes(SMALL.astype(np.uint16), **tags)


def _fragments() -> bytes:
    """A million empty pieces of a compressed picture."""
    whole = changed(RLE)()
    at = whole.rindex(b"\xfe\xff\xdd\xe0")
    return whole[:at] + struct.pack("<HHI", 0xFFFE, 0xE000, 0) * 10**6 + whole[at:]


def _deflated_tail() -> bytes:
    """A sound deflated file that goes on with a gibibyte of zeros."""
    whole = dicom_bytes(SMALL)
    start = 144 + struct.unpack_from("<I", whole, 140)[0]
    tail = struct.pack("<HH2sHI", 0xFFFC, 0xFFFC, b"OB", 0, 0x7FFFFFF0)
    head = deflated(b"")
    return head[:-2] + zeros(1024, RAW, whole[start:] + tail)


def _jpeg2000_of(side: int) -> Callable[[], bytes]:
    return restreamed(JPEG2000, lambda s: patched(s, 8, struct.pack(">2I", side, side)))


def _framed(name: str, marker: bytes, side: int) -> Callable[[], bytes]:
    """The stream's own frame header says `side` x `side`."""

    def change(stream: bytes) -> bytes:
        return patched(stream, stream.index(marker) + 5, struct.pack(">HH", side, side))

    return restreamed(name, change)


def dicom_bombs() -> list[Row]:
    return [
        bad("deflated.dcm", lambda: deflated(bytes(256 << 20)), "E_BOMB"),
        bad("deflated-tail.dcm", _deflated_tail, "E_BOMB"),
        bad("native.dcm", made(**HUGE), "E_SIZE"),
        bad("rle.dcm", changed(RLE, **HUGE), "E_SIZE"),
        bad("jpeg2000.dcm", changed(JPEG2000, **HUGE), "E_SIZE"),
        bad("jpeg-ls.dcm", changed(JPEG_LS, **HUGE), "E_SIZE"),
        bad("jpeg.dcm", changed(JPEG, **HUGE), "E_SIZE"),
        bad("rle-large.dcm", changed(RLE, **LARGE), "E_BOMB"),
        bad("jpeg2000-large.dcm", changed(JPEG2000, **LARGE), "E_BOMB"),
        bad("jpeg-ls-large.dcm", changed(JPEG_LS, **LARGE), "E_BOMB"),
        bad("jpeg2000-inside.dcm", _jpeg2000_of(1 << 31), "E_SIZE"),
        bad("jpeg-inside.dcm", _framed(JPEG, b"\xff\xc0", 65_500), "E_SIZE"),
        bad("jpeg-ls-inside.dcm", _framed(JPEG_LS, b"\xff\xf7", 65_535), "E_SIZE"),
        bad("nested-200000.dcm", lambda: nested(200_000), "E_DEPTH"),
        bad("million-elements.dcm", lambda: _million_elements(pixels=False), "E_SIZE"),
        bad("million-elements-with-pixels.dcm", lambda: _million_elements(pixels=True), "E_SIZE"),
        bad("million-items.dcm", _million_items, "E_SIZE"),
        bad("million-fragments.dcm", _fragments, "E_SIZE"),
        bad("million-frames.dcm", made(NumberOfFrames=10**6), "E_SIZE", policy=EACH),
        bad("segmented-palette.dcm", _segmented_palette, "E_PI"),
    ]


def _black(side: int) -> np.ndarray:
    return np.zeros((side, side), np.uint8)


def _frames(form: str) -> Callable[[], bytes]:
    image = Image.fromarray(_black(1500))
    pages = [Image.new("L", (1500, 1500), level) for level in range(1, 40)]
    return lambda: encode(image, form, save_all=True, append_images=pages)


def _bmp_rle(side: int) -> bytes:
    """Run lengths of a picture that is at once at its end."""
    data = bmp(side, side, 8, b"\0\1")
    return patched(patched(data, 30, struct.pack("<I", 1)), 14, struct.pack("<I", 40))


def _wide_tile() -> bytes:
    data = tiff(SMALL, tile=(16, 16))
    return retagged(retagged(data, (322, 4, 1, 60_000)), (323, 4, 1, 60_000))


def picture_bombs() -> list[Row]:
    return [
        bad("size.png", lambda: huge_png(20_000), "E_SIZE"),
        bad("size-max.png", lambda: huge_png(2**31 - 1), "E_SIZE"),
        bad("black.png", lambda: picture(_black(8000)), "E_BOMB"),
        bad("size.gif", huge_gif, "E_SIZE"),
        bad("black.gif", lambda: picture(_black(5000), "GIF"), "E_BOMB"),
        bad("frames.gif", _frames("GIF"), "E_NDIM"),
        bad("frames.png", _frames("PNG"), "E_NDIM"),
        bad("size.webp", huge_webp, "E_SIZE"),
        bad("black.webp", lambda: picture(_black(6000), "WebP"), "E_BOMB"),
        bad("size.bmp", huge_bmp, "E_TRUNCATED"),
        bad("runs.bmp", lambda: _bmp_rle(8000), "E_BOMB"),
        bad("size.jpg", huge_jpeg, "E_SIZE"),
        bad("large.jpg", lambda: huge_jpeg(4000), "E_BOMB"),
        bad("size.tif", huge_tiff, "E_SIZE"),
        bad("black.tif", lambda: tiff(_black(8000), compression="zlib"), "E_BOMB"),
        bad("black-zstd.tif", lambda: tiff(_black(8000), compression="zstd"), "E_BOMB"),
        bad("tile.tif", _wide_tile, "E_SIZE"),
        bad("pages.tif", lambda: tiff_pages([SMALL] * 4001), "E_SIZE", policy=EACH),
    ]


def volume_bombs() -> list[Row]:
    head = dims(256, 256, 800)[:352]
    tail, cube = dims(6, 7, 8)[:352], "256 256 800"
    return [
        bad("size.nii", dims(32767, 32767, 32767), "E_SIZE", policy=VOLUMES),
        bad("zeros.nii.gz", lambda: zeros(100, GZIP, head), "E_BOMB", policy=VOLUMES),
        bad("tail.nii.gz", lambda: zeros(2048, GZIP, tail), "E_SIZE", policy=VOLUMES),
        bad("zeros.nrrd", lambda: nrrd(zeros(100, GZIP), encoding="gzip", sizes=cube), "E_BOMB",
            policy=VOLUMES),
        bad("tail.nrrd", lambda: nrrd(zeros(2048, GZIP), encoding="gzip"), "E_SIZE",
            policy=VOLUMES),
        bad("size.nrrd", nrrd(sizes="99999 99999 99999"), "E_SIZE", policy=VOLUMES),
        bad("no-line.nrrd", b"NRRD0004\n" + b"x" * (8 << 20), "E_FORMAT", policy=VOLUMES),
        bad("zeros.mha", lambda: mha(zeros(100), CompressedData="True", DimSize=cube), "E_BOMB",
            policy=VOLUMES),
        bad("tail.mha", lambda: mha(zeros(2048), CompressedData="True"), "E_SIZE",
            policy=VOLUMES),
        bad("no-line.mha", b"ObjectType = Image\n" + b"x" * (8 << 20), "E_FORMAT", policy=VOLUMES),
        bad("eight-gibibytes.npy", lying((8 << 30, 1)), "E_SIZE"),
        bad("volume.npy", lying((4096, 4096, 4096)), "E_SIZE", policy=VOLUMES),
    ]  # fmt: skip


def archive_bombs() -> list[Row]:
    many = {f"{number}.npy": npy(np.zeros(1 << 20, np.uint8)) for number in range(100)}
    return [
        bad("zeros.npz", npz_bomb, "E_BOMB", reader="npz"),
        bad("lying.npz", lying_about_its_size, "E_ARCHIVE", reader="npz"),
        bad("header.npz", archive({"a.npy": lying((8 << 30,))}), "E_SIZE", reader="npz"),
        bad("members.npz", lambda: archive({f"{n}.npy": b"" for n in range(60_000)}), "E_ARCHIVE",
            reader="npz"),
        bad("many-zeros.npz", lambda: archive(many, zipfile.ZIP_DEFLATED), "E_BOMB",
            reader="npz"),
    ]  # fmt: skip


def harmless() -> list[Odd]:
    """Bombs in parts of a file that no picture needs: never unpacked, so the picture is read."""
    note = b"Comment\0\0"
    profile = chunk(b"iCCP", b"profile\0\0" + zeros(1024))
    return [
        Odd("text.png", lambda: png(SMALL, chunk(b"zTXt", note + zeros(1024))), ""),
        Odd("itext.png", lambda: png(SMALL, chunk(b"iTXt", b"a\0\1\0\0\0" + zeros(1024))), ""),
        Odd("profile.png", lambda: png(SMALL, profile), "colour profile ignored"),
        Odd("pixels.png", lambda: _long_pixels(), ""),
    ]


def _long_pixels() -> bytes:
    """A gibibyte of zeros behind the rows of a small picture."""
    rows = b"".join(b"\0" + row.tobytes() for row in SMALL)
    head = struct.pack(">IIBBBBB", 16, 16, 8, 0, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zeros(1024, 15, rows)) + chunk(b"IEND")
    return b"\x89PNG\r\n\x1a\n" + body
