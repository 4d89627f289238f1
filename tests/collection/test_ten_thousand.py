"""Ten thousand files, five hundred of them bad: each is stored, or set aside under its own code."""

from __future__ import annotations

import importlib
import io
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from latentdx.collection.ingest import IngestReport, ingest
from latentdx.collection.plan import IngestSettings

SCANS = Path(__file__).resolve().parents[1] / "scans"
N_GOOD, N_BAD, N_WITHOUT_IMAGE, SECONDS = 9500, 500, 20, 90.0


@pytest.fixture
def helper(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """A helper module of the reader's tests, which lie in a folder of their own."""
    monkeypatch.setattr(sys, "path", [str(SCANS), *sys.path])
    return importlib.import_module


def good_files(dicom_bytes: Callable[..., bytes]) -> Iterator[bytes]:
    """Small different pictures in turn as PNG, JPEG, TIFF, BMP, npy and DICOM."""
    rng = np.random.default_rng(0)
    for number in range(N_GOOD):
        values = rng.integers(0, 256, (24, 28), dtype=np.uint8)
        form = ("PNG", "JPEG", "TIFF", "BMP", "npy", "DICOM")[number % 6]
        buffer = io.BytesIO()
        if form == "DICOM":
            buffer.write(dicom_bytes(values, PatientID=f"{number}", SOPInstanceUID=f"1.2.{number}"))
        elif form == "npy":
            np.save(buffer, values)
        else:
            Image.fromarray(values).save(buffer, form)
        yield buffer.getvalue()


def of_codes(report: IngestReport) -> dict[str, str]:
    return {item.path: item.code for item in (*report.quarantine, *report.not_images)}


@pytest.mark.slow
def test_ten_thousand(tmp_path: Path, helper: Callable[[str], ModuleType]) -> None:
    source, expected = tmp_path / "scans", dict[str, str]()
    source.mkdir()
    for number, data in enumerate(good_files(helper("dicom_files").dicom_bytes)):
        (source / f"g{number:05}.png").write_bytes(data)
    rows = helper("bad_input_catalogue").QUICK
    bad = [row for row in rows if row.code != "N_NOT_IMAGE"]
    imageless = [row for row in rows if row.code == "N_NOT_IMAGE"]
    chosen = [*islice(cycle(bad), N_BAD), *islice(cycle(imageless), N_WITHOUT_IMAGE)]
    for number, row in enumerate(chosen):
        expected[f"b{number:03}.png"] = row.code
        (source / f"b{number:03}.png").write_bytes(row.make())
    settings = IngestSettings(
        size=28, channels=1, key=b"k" * 32, workers=2, for_training=False, one_scan_per_patient=True
    )
    since = time.monotonic()
    report = ingest([source], tmp_path / "collection", settings)
    seconds = time.monotonic() - since
    assert report.n_scans == N_GOOD
    assert (len(report.quarantine), len(report.not_images)) == (N_BAD, N_WITHOUT_IMAGE)
    assert of_codes(report) == expected
    assert len(Counter(expected.values())) >= 10
    assert seconds < SECONDS
