"""Bad arrays and archives, and what is no scan at all."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import warnings
import zipfile
from typing import Any

import numpy as np
from bad_input_row import IMPUTE, VOLUMES, Row, archive, bad, cut, patched
from dicom_files import dicom_bytes
from raster_files import picture

GOOD = np.arange(64, dtype=np.uint8).reshape(8, 8)


def npy(values: Any) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=True)
    return buffer.getvalue()


def lying(shape: tuple[int, ...], descr: str = "|u1") -> bytes:
    """Sixteen bytes under a header that announces `shape`."""
    buffer = io.BytesIO()
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, header)
    return buffer.getvalue() + bytes(16)


def headed(text: str) -> bytes:
    """An npy file whose header is any text."""
    body = text.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(body)) + body + bytes(64)


def linked() -> bytes:
    link = zipfile.ZipInfo("a.npy")
    link.external_attr = 0o120777 << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr(link, "/etc/passwd")
    return buffer.getvalue()


def doubled() -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as file:
        warnings.simplefilter("ignore")
        for values in (GOOD, GOOD[::-1]):
            file.writestr("images.npy", npy(values))
    return buffer.getvalue()


def npz_bomb() -> bytes:
    return archive({"images.npy": npy(np.zeros(64 << 20, np.uint8))}, zipfile.ZIP_DEFLATED)


def lying_about_its_size() -> bytes:
    """The table says 1000 bytes, the packed member holds 64 MB."""
    data = npz_bomb()
    at = data.rindex(b"PK\x01\x02")
    return patched(data, at + 24, struct.pack("<I", 1000))


def _not_scans() -> list[Row]:
    texts = {
        "text.dcm": b"This is a letter about a patient.\n" * 20,
        "text.png": b"not a picture",
        "page.html": b"<!DOCTYPE html><html><body>scan</body></html>",
        "table.csv": b"path,label\na.png,1\n",
        "paper.pdf": b"%PDF-1.7\n" + bytes(range(256)) * 4,
        "program.dcm": b"\x7fELF\2\1\1" + bytes(600),
        "program.exe": b"MZ\x90\0" + bytes(600),
        "script.dcm": b"#!/bin/sh\nrm -rf /\n",
        "noise.dcm": np.random.default_rng(9).bytes(5000),
        "zeros.dcm": bytes(4096),
        "one-byte.png": b"\x89",
        "pickle.npy": pickle.dumps({"a": 1}),
        "packed-text.nii.gz": gzip.compress(b"hello" * 200, mtime=0),
        "movie.mp4": b"\0\0\0\x18ftypmp42" + bytes(300),
        "picture.svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    }
    return [
        *(bad(name, data, "E_FORMAT") for name, data in texts.items()),
        *(bad(f"empty{ending}", b"", "E_EMPTY") for ending in (".dcm", ".png", ".nii.gz", "")),
        bad("archive.dcm", archive({"a.dcm": dicom_bytes(GOOD)}), "E_FORMAT"),
        bad("archive.npz", archive({"a.npy": npy(GOOD)}), "E_FORMAT"),
        bad("one-image.png.gz", gzip.compress(picture(GOOD), mtime=0), "E_FORMAT"),
    ]


def _arrays() -> list[Row]:
    shape = "{'descr': '|u1', 'fortran_order': False, 'shape': (8, 8), }"
    return [
        bad("pickled.npy", npy(np.array([[{"a": 1}]])), "E_PICKLE"),
        bad("structured-object.npy", npy(np.zeros(3, [("a", "O")])), "E_PICKLE"),
        bad("eight-gibibytes.npy", lying((8 << 30, 1)), "E_SIZE"),
        bad("shape-lies.npy", lying((100, 100)), "E_TRUNCATED"),
        bad("shape-overflows.npy", lying((1 << 40, 1 << 40)), "E_SIZE"),
        bad("shape-negative.npy", lying((-4, 4)), "E_FORMAT"),
        bad("no-rows.npy", npy(np.zeros((0, 4))), "E_SIZE"),
        bad("nan.npy", npy(np.full((4, 4), np.nan)), "E_NAN"),
        bad("infinite.npy", npy(np.full((4, 4), np.inf)), "E_NAN"),
        bad("nan-volume.npy", npy(np.full((4, 4, 5), np.nan)), "E_NAN", policy=VOLUMES),
        bad("all-nan.npy", npy(np.full((4, 4), np.nan)), "E_NAN", policy=IMPUTE),
        bad("four.npy", npy(np.zeros((2, 3, 4, 5))), "E_NDIM"),
        bad("one.npy", npy(np.zeros(7)), "E_NDIM"),
        bad("scalar.npy", npy(np.float64(3)), "E_NDIM"),
        bad("volume-where-images.npy", npy(np.zeros((7, 8, 9))), "E_NDIM"),
        bad("image-where-volumes.npy", npy(np.zeros((7, 8))), "E_NDIM", policy=VOLUMES),
        bad("text.npy", npy(np.array([["text"]])), "E_FORMAT"),
        bad("complex.npy", npy(np.zeros((4, 4), complex)), "E_FORMAT"),
        bad("dates.npy", npy(np.zeros((4, 4), "M8[s]")), "E_FORMAT"),
        bad("cut.npy", cut(npy(np.zeros((8, 8))), 0.9), "E_TRUNCATED"),
        bad("cut-header.npy", cut(npy(GOOD), 30), "E_FORMAT"),
        bad("header-code.npy", headed("__import__('os').system('true')"), "E_FORMAT"),
        bad("header-brackets.npy", headed("(" * 110), "E_FORMAT"),
        bad("header-keys.npy", headed(shape.replace("descr", "other")), "E_FORMAT"),
        bad("version.npy", patched(npy(GOOD), 6, b"\x09\x00"), "E_FORMAT"),
    ]


def _archives() -> list[Row]:
    good = npy(GOOD)
    members = {
        "pickled": ({"a.npy": npy(np.array([None]))}, "E_PICKLE"),
        "eight-gibibytes": ({"a.npy": lying((8 << 30,))}, "E_SIZE"),
        "traversal": ({"../a.npy": good}, "E_ARCHIVE"),
        "absolute": ({"/a.npy": good}, "E_ARCHIVE"),
        "backslash": ({"..\\a.npy": good}, "E_ARCHIVE"),
        "drive": ({"c:a.npy": good}, "E_ARCHIVE"),
        "program": ({"run.py": b"print()"}, "E_ARCHIVE"),
        "archive-within": ({"a.zip": archive({"a.npy": good})}, "E_ARCHIVE"),
        "folder": ({"a/b.npy": good}, "E_ARCHIVE"),
        "nothing": ({}, "E_ARCHIVE"),
        "no-array": ({"a.npy": b"text"}, "E_FORMAT"),
    }
    rows = [bad(f"{n}.npz", archive(m), code, reader="npz") for n, (m, code) in members.items()]
    many = {f"{number}.npy": b"" for number in range(10_000)}
    return [
        *rows,
        bad("many.npz", lambda: archive(many), "E_ARCHIVE", reader="npz"),
        bad("link.npz", linked, "E_ARCHIVE", reader="npz"),
        bad("double.npz", doubled, "E_ARCHIVE", reader="npz"),
        bad("bomb.npz", npz_bomb, "E_BOMB", reader="npz"),
        bad("lying-bomb.npz", lying_about_its_size, "E_ARCHIVE", reader="npz"),
        bad("text.npz", b"text", "E_ARCHIVE", reader="npz"),
        bad("empty.npz", b"", "E_ARCHIVE", reader="npz"),
        *(
            bad(f"cut-{kept}.npz", cut(archive({"a.npy": good}), kept), "E_ARCHIVE", reader="npz")
            for kept in (0.3, 0.9)
        ),
        bad("flipped.npz", _flipped(archive({"a.npy": good})), "E_ARCHIVE", reader="npz"),
    ]


def _flipped(data: bytes) -> bytes:
    at = data.index(bytes(range(40)))
    return patched(data, at + 20, b"\xee")


def array_rows() -> list[Row]:
    return [*_not_scans(), *_arrays(), *_archives()]
