"""Files are told by content; what is no file is not waited for."""

from __future__ import annotations

import gzip
import io
import os
from pathlib import Path

import numpy as np
import pytest
from dicom_files import KEY, dicom_bytes, pydicom_file
from PIL import Image

from latentdx.core.errors import InputError
from latentdx.scans.open import open_scan
from latentdx.scans.sniff import HEAD_BYTES, sniff


@pytest.mark.parametrize("form", ["PNG", "JPEG", "TIFF", "BMP", "WebP", "GIF"])
def test_pictures_are_told_by_content(form: str) -> None:
    buffer = io.BytesIO()
    Image.new("L", (8, 8)).save(buffer, form)
    assert sniff(buffer.getvalue()[:HEAD_BYTES]) == form.lower()


@pytest.mark.parametrize(
    "name",
    ["CT_small.dcm", "MR_small_padded.dcm", "ExplVR_BigEnd.dcm", "ExplVR_BigEndNoMeta.dcm",
     "ExplVR_LitEndNoMeta.dcm", "image_dfl.dcm", "rtplan.dcm", "DICOMDIR", "MR_small_implicit.dcm"],
)  # fmt: skip
def test_dicom_in_every_encoding(name: str) -> None:
    assert sniff(pydicom_file(name).read_bytes()[:HEAD_BYTES]) == "dicom"


def test_dicom_without_preamble_and_meta() -> None:
    whole = dicom_bytes(np.zeros((4, 4), np.uint8))
    data_set = whole[whole.index(b"\x08\x00\x16\x00UI") :]
    assert sniff(data_set) == "dicom"


def test_volumes_and_arrays() -> None:
    header = bytearray(352)
    header[:4], header[344:348] = (348).to_bytes(4, "little"), b"n+1\0"
    assert sniff(bytes(header)) == "nifti"
    assert sniff(gzip.compress(bytes(header))) == "nifti"
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    assert sniff(buffer.getvalue()) == "npy"
    buffer = io.BytesIO()
    np.savez(buffer, a=np.zeros(3))
    assert sniff(buffer.getvalue()[:HEAD_BYTES]) == "zip"


@pytest.mark.parametrize(
    ("head", "kind"),
    [(b"NRRD0005\ntype: short\n", "nrrd"), (b"NRRD0001\n", "nrrd"),
     (b"ObjectType = Image\nNDims = 3\n", "metaimage"), (b"NDims = 3\r\n", "metaimage"),
     (b"\n ObjectType=Image\n", "metaimage"), (b"NDims : 2\n", "metaimage")],
)  # fmt: skip
def test_text_headers(head: bytes, kind: str) -> None:
    assert sniff(head) == kind


@pytest.mark.parametrize(
    "head", [b"NRRD\n", b"ObjectType = Tube\n", b"ObjectType = Images\n", b"NDims = x\n",
             b"a,NDims = 3\n", b"object type: image\n"]
)  # fmt: skip
def test_texts_that_are_no_headers(head: bytes) -> None:
    with pytest.raises(InputError) as caught:
        sniff(head)
    assert caught.value.code == "E_FORMAT"


@pytest.mark.parametrize(
    ("data", "code"),
    [(b"", "E_EMPTY"), (b"patient,label\n1,2\n" * 40, "E_FORMAT"), (b"BM text", "E_FORMAT"),
     (b"\0" * 2000, "E_FORMAT"), (b"\x08", "E_FORMAT"),
     # No time of day in it: each process that collects the tests must call this one the same.
     (gzip.compress(b"text" * 300, mtime=0), "E_FORMAT")],
)  # fmt: skip
def test_what_is_no_image_is_refused(data: bytes, code: str, tmp_path: Path) -> None:
    path = tmp_path / "renamed.dcm"
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        open_scan(path, key=KEY)
    assert caught.value.code == code
    assert caught.value.path == str(path)


def test_fifo_folder_device_and_missing_files_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.dcm")
    paths = [tmp_path / "fifo.dcm", tmp_path, Path("/dev/zero"), tmp_path / "none", "a\0b"]
    for path in paths:
        with pytest.raises(InputError) as caught:
            open_scan(path, key=KEY)
        assert caught.value.code == "E_IO"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_permission_denied(tmp_path: Path) -> None:
    path = tmp_path / "secret.png"
    path.touch(mode=0o000)
    with pytest.raises(InputError, match="E_IO"):
        open_scan(path, key=KEY)
