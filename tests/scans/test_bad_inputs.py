"""Every row of the catalogue ends in its own code, and what is only odd is read and recorded."""

from __future__ import annotations

import os
import socket
import threading
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from bad_input_catalogue import BAD, ODD
from bad_input_dicom import GREY
from bad_input_dicom_odd import with_uid
from bad_input_row import Odd, Row
from dicom_files import KEY, NAME, dicom_bytes
from raster_files import picture

from latentdx.core.errors import InputError
from latentdx.scans.arrays import open_npz_arrays
from latentdx.scans.open import open_scan
from latentdx.scans.policy import Policy
from latentdx.scans.request import Request
from latentdx.scans.sandbox import decode_files
from latentdx.scans.scan import Scan

ERRORS = Path(__file__).resolve().parents[2] / "docs" / "errors.md"


def read(row: Row, path: Path) -> object:
    if row.reader == "npz":
        return open_npz_arrays(path, row.limits)
    return open_scan(path, key=KEY, limits=row.limits, policy=row.policies())


def outcome(path: Path) -> Scan | InputError:
    try:
        return open_scan(path, key=KEY)
    except InputError as error:
        return error


def test_the_catalogue_is_large_and_every_code_is_documented() -> None:
    assert len(BAD) >= 120
    assert len({row.name for row in BAD}) == len(BAD)
    documented = ERRORS.read_text()
    codes = {row.code for row in BAD} - {"read"}
    assert {code for code in codes if f"`{code}`" not in documented} == set()


@pytest.mark.parametrize("row", [row for row in BAD if not row.hostile], ids=lambda row: row.name)
def test_bad_input(row: Row, tmp_path: Path) -> None:
    path = row.write(tmp_path)
    with pytest.raises(InputError) as caught:
        read(row, path)
    error = caught.value
    assert (error.code, error.path) == (row.code, str(path)), error
    assert error.found
    assert NAME not in str(error)
    assert [item.name for item in tmp_path.iterdir()] == [row.name]


@pytest.mark.parametrize("row", [row for row in BAD if row.hostile], ids=lambda row: row.name)
def test_hostile_input(row: Row, tmp_path: Path) -> None:
    path, good = row.write(tmp_path), tmp_path / "good.png"
    good.write_bytes(picture(np.arange(256, dtype=np.uint8).reshape(16, 16)))
    request = Request(size=32, key=KEY, policy=row.policies())
    results = decode_files([path, good], request=request, workers=1, limits=row.limits)
    codes = [result.code if isinstance(result, InputError) else "read" for _, result in results]
    assert codes == [row.code, "E_NDIM" if row.policy.get("dims") == 3 else "read"]


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: odd.name)
def test_odd_input(odd: Odd, tmp_path: Path) -> None:
    path = tmp_path / odd.name
    path.write_bytes(odd.make())
    scan = open_scan(path, key=KEY, policy=Policy(**odd.policy))
    assert np.isfinite(scan.pixels).all()
    assert scan.pixels.min() >= 0
    assert scan.pixels.max() <= 1
    assert any(odd.told in text for text in (*scan.conversions, *scan.warnings, ""))


@pytest.mark.parametrize("odd", [odd for odd in ODD if "preamble" in odd.name],
                         ids=lambda odd: odd.name)  # fmt: skip
def test_a_preamble_changes_no_pixel(odd: Odd, tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(dicom_bytes(GREY))
    (tmp_path / "odd").write_bytes(odd.make())
    plain, other = (open_scan(tmp_path / name, key=KEY) for name in ("plain", "odd"))
    assert np.array_equal(plain.pixels, other.pixels)


@pytest.mark.parametrize("uid", ["../../../etc/passwd", "1.2." + "9" * 90, "1.2\x00.3", "a b"])
def test_a_malformed_uid_is_never_a_name(uid: str, tmp_path: Path) -> None:
    path = tmp_path / "a.dcm"
    path.write_bytes(with_uid(uid))
    assert uid not in repr(outcome(path))
    assert sorted(item.name for item in tmp_path.iterdir()) == ["a.dcm"]


def code_of(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        open_scan(path, key=KEY)
    assert caught.value.path == str(path)
    return caught.value.code


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.dcm")
    (tmp_path / "folder.dcm").mkdir()
    (tmp_path / "loop.dcm").symlink_to(tmp_path / "other.dcm")
    (tmp_path / "other.dcm").symlink_to(tmp_path / "loop.dcm")
    (tmp_path / "dangling.dcm").symlink_to(tmp_path / "nowhere")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        names = ["fifo.dcm", "folder.dcm", "loop.dcm", "dangling.dcm", "absent.dcm", "s"]
        found = Counter(code_of(tmp_path / name) for name in names)
    assert found == {"E_IO": 6}
    assert code_of(Path("/dev/zero")) == "E_IO"
    assert code_of(tmp_path / ("n" * 300)) == "E_IO"
    assert code_of(Path("nul\0.dcm")) == "E_IO"


def test_permission_denied(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    path = tmp_path / "closed.png"
    path.write_bytes(picture(np.zeros((4, 4), np.uint8)))
    path.chmod(0)
    assert code_of(path) == "E_IO"


def test_a_file_that_changes_while_it_is_read(tmp_path: Path) -> None:
    """Whole, or refused, but never a mixture and never another error."""
    path = tmp_path / "changing.png"
    whole = [picture(np.full((300, 300), level, np.uint8)) for level in (10, 200)]
    path.write_bytes(whole[0])
    stop = threading.Event()

    def change() -> None:
        while not stop.is_set():
            for data in whole:
                path.write_bytes(data)

    writer = threading.Thread(target=change)
    writer.start()
    try:
        for _ in range(200):
            found = outcome(path)
            if isinstance(found, InputError):
                assert found.code in {"E_EMPTY", "E_TRUNCATED", "E_FORMAT", "E_DECODE"}
            else:
                assert np.unique(found.pixels * 255).round().tolist() in ([10], [200])
    finally:
        stop.set()
        writer.join()
