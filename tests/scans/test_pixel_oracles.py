"""Every DICOM image at hand against independent decoders: equal, or refused with a code.

DCMTK (its own codecs) reads all but JPEG 2000, which SimpleITK (GDCM, OpenJPEG) reads. Lossless
files must be equal to the last bit, lossy ones within a level.
"""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_files import KEY

from latentdx.core.errors import InputError
from latentdx.scans.sniff import HEAD_BYTES, sniff

pytest.importorskip("SimpleITK")
dcmtk = pytest.importorskip("pixel_oracle_dcmtk")
display = pytest.importorskip("pixel_oracle_display")
verdicts = pytest.importorskip("pixel_oracle_verdict")
files = pytest.importorskip("pixel_oracle_files")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::UserWarning"),  # pydicom's, of what the files do wrong
    pytest.mark.skipif(
        bool(dcmtk.missing_tools()),
        reason=f"DCMTK's tools are not installed: {', '.join(dcmtk.missing_tools())}",
    ),
]

PYDICOM = Path(pydicom.__file__).parent / "data" / "test_files"
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "dicom"

REFUSED = {
    "JPEG2000-embedded-sequence-delimiter.dcm": "E_SIZE",  # damaged: a size of 3.7e9 columns
    "MR_truncated.dcm": "E_TRUNCATED",  # cut 62 bytes short
    "emri_small_jpeg_2k_lossless_too_short.dcm": "E_TRUNCATED",  # cut 8 bytes short
    "DICOMDIR-nooffset": "E_TRUNCATED",  # a directory, cut 24 bytes short: no image
    "badVR.dcm": "E_DECODE",  # its number of frames is "1A"; it holds 15
    # 32-bit big endian words: DCMTK takes their 16-bit halves in another order than pydicom.
    "rtdose_expb.dcm": "E_DECODE",
    "rtdose_expb_1frame.dcm": "E_DECODE",
    "u32_big.dcm": "E_DECODE",
    "s32_big.dcm": "E_DECODE",
}
"""Images that are refused though an oracle reads them, or may, with the code and the reason."""

CORPORA = {"pydicom": 80, "pydicom-data": 60, "made": 300, "shared": 100}
"""Files of each corpus that must at least be equal."""

DISPLAYED = {"pydicom": 50, "pydicom-data": 20, "made": 40, "shared": 100}
"""Displays of each corpus that must at least be compared."""

EVERY = {"made": 4}  # the same few pictures in many encodings: some are enough to be looked at


def corpus(name: str, folder: Path) -> Iterator[tuple[Path, object]]:
    if name == "made":
        for made in files.made_files(folder):
            yield made.path, made.source
        return
    for path in sorted(root(name).rglob("*")):
        if path.is_file() and is_dicom(path):
            yield path, None


def is_dicom(path: Path) -> bool:
    try:
        return sniff(path.read_bytes()[:HEAD_BYTES]) == "dicom"
    except InputError:
        return False


def root(name: str) -> Path:
    if name == "pydicom":
        return PYDICOM
    if name == "pydicom-data":
        found = importlib.util.find_spec("data_store")
        if found is None or found.origin is None:
            pytest.skip("pydicom-data is not installed")
        return Path(found.origin).parent / "data"
    if not SHARED.is_dir():
        pytest.skip(f"the shared data folder is absent: {SHARED}")
    return SHARED


def test_the_corpora_that_are_always_here_are_large() -> None:
    assert CORPORA["pydicom"] + CORPORA["made"] >= 150


@pytest.mark.parametrize("name", CORPORA)
def test_every_image_equals_an_independent_decoder(name: str, tmp_path: Path) -> None:
    judged, unseen = [], []
    for path, source in corpus(name, tmp_path):
        verdict = verdicts.judge(path, reference=source)
        (unseen if verdict.code == "N_NOT_IMAGE" else judged).append((path, verdict))
    assert [path for path, _ in unseen if dcmtk.is_shown(path)] == []
    images = [verdict for _, verdict in judged]
    assert [verdict for verdict in images if verdict.outcome == "differs"] == []
    assert [verdict for verdict in images if verdict.outcome == "oracle failed"] == []
    refused = {verdict.name: verdict.code for verdict in images if verdict.outcome == "refused"}
    assert refused == {name: REFUSED.get(name) for name in refused}
    assert len(images) - len(refused) >= CORPORA[name]


@pytest.mark.parametrize("name", CORPORA)
def test_every_display_equals_an_independent_one(name: str, tmp_path: Path) -> None:
    """With a window asked for, and with the window or VOI LUT of the file."""
    apart = {}
    for path, _ in itertools.islice(corpus(name, tmp_path), 0, None, EVERY.get(name, 1)):
        for label, distance in display.distances(path, KEY):
            apart[path.name, label] = distance
    assert {case: levels for case, levels in apart.items() if levels > 1.001} == {}
    assert len(apart) >= DISPLAYED[name]


def test_every_kind_of_display_equals_an_independent_one(tmp_path: Path) -> None:
    apart = {}
    for path in files.shown_files(tmp_path):
        apart.update({(path.stem, label): d for label, d in display.distances(path, KEY)})
    assert {case: levels for case, levels in apart.items() if levels > 1.001} == {}
    assert {name for name, label in apart if label == "file 0"} == set(files.SHOWN)


def test_an_oracle_tells_files_apart(tmp_path: Path) -> None:
    """The comparison can fail: one value changed in one file is seen."""
    made = next(iter(files.made_files(tmp_path)))
    ds = pydicom.dcmread(made.path)
    pixels = np.frombuffer(ds.PixelData, np.uint8).copy()
    pixels[77] ^= 1
    changed = tmp_path / "changed.dcm"
    ds.PixelData = pixels.tobytes()
    ds.save_as(changed)
    oracle = dcmtk.stored_values(made.path, 0, syntax="", bits=8, signed=False, inverted=False)
    ours = next(iter(verdicts.native(changed)))
    assert np.abs(oracle - ours.values.astype(int)).max() == 1
