"""The sandbox: order, bounds, and that a bad file costs itself alone."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from dicom_files import KEY, dicom_bytes, pydicom_file
from PIL import Image

from latentdx.core.errors import InputError, LatentdxError
from latentdx.scans.limits import Limits
from latentdx.scans.open import open_scan
from latentdx.scans.peek import Peek
from latentdx.scans.request import Request
from latentdx.scans.sandbox import Sandbox, decode_files
from latentdx.scans.scan import Scan

REQUEST = Request(size=32, channels=1, key=KEY)

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="asks /proc")


def children() -> list[int]:
    task = Path(f"/proc/{os.getpid()}/task")
    return [int(pid) for path in task.glob("*/children") for pid in path.read_text().split()]


def write_pngs(folder: Path, count: int) -> list[Path]:
    for number in range(count):
        values = np.full((20, 30), number % 256, np.uint8)
        Image.fromarray(values).save(folder / f"{number:04}.png")
    return sorted(folder.glob("*.png"))


def write_hang(path: Path) -> Path:
    """A progressive JPEG of 150 kB whose thousands of empty scans each cost a pass: a minute."""
    buffer = io.BytesIO()
    Image.new("L", (4000, 4000), 90).save(buffer, "jpeg", progressive=True)
    data = buffer.getvalue()
    last_scan = data[data.rfind(b"\xff\xda") : -2]
    path.write_bytes(data[:-2] + 3000 * last_scan + data[-2:])
    return path


def codes(results: list[tuple[int, Scan | InputError]]) -> list[str]:
    return [result.code if isinstance(result, InputError) else "ok" for _, result in results]


def test_order_and_equality_with_this_process(tmp_path: Path) -> None:
    paths: list[Path | str] = [*write_pngs(tmp_path, 40), tmp_path / "missing.png"]
    paths[7] = pydicom_file("CT_small.dcm")
    paths[20] = str(pydicom_file("rtplan.dcm"))
    results = list(decode_files(iter(paths), request=REQUEST, workers=2))
    assert [index for index, _ in results] == list(range(41))
    for path, (_, result) in zip(paths, results, strict=True):
        try:
            expected: Scan | InputError = REQUEST.fit(open_scan(path, key=KEY))
        except InputError as error:
            expected = error
        if isinstance(expected, InputError):
            assert isinstance(result, InputError)
            assert str(result) == str(expected)
            continue
        assert isinstance(result, Scan)
        assert np.array_equal(result.pixels, expected.pixels)
        assert {**vars(result), "pixels": 0} == {**vars(expected), "pixels": 0}
    assert children() == []


def test_nothing_to_do() -> None:
    assert list(decode_files([], request=REQUEST)) == []


def test_a_hang_costs_one_file(tmp_path: Path) -> None:
    paths = write_pngs(tmp_path, 30)
    paths.insert(3, write_hang(tmp_path / "hang.jpg"))
    results = list(decode_files(paths, request=REQUEST, workers=2, limits=Limits(seconds=2.0)))
    assert codes(results) == ["ok"] * 3 + ["E_TIMEOUT"] + ["ok"] * 27
    error = results[3][1]
    assert isinstance(error, InputError)
    assert error.path == str(paths[3])
    assert children() == []


def test_hangs_in_a_row_with_one_worker(tmp_path: Path) -> None:
    hang = write_hang(tmp_path / "hang.jpg")
    good = write_pngs(tmp_path, 2)
    paths = [hang, good[0], hang, good[1]]
    results = decode_files(paths, request=REQUEST, workers=1, limits=Limits(seconds=2.0))
    assert codes(list(results)) == ["E_TIMEOUT", "ok", "E_TIMEOUT", "ok"]


def test_processor_time_ends_a_hang_while_the_parent_looks_away(tmp_path: Path) -> None:
    paths = [*write_pngs(tmp_path, 1), write_hang(tmp_path / "hang.jpg")]
    results = decode_files(paths, request=REQUEST, workers=1, limits=Limits(seconds=2.0))
    assert codes([next(results)]) == ["ok"]
    (worker,) = children()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if Path(f"/proc/{worker}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
            break
        time.sleep(0.02)
    assert codes(list(results)) == ["E_TIMEOUT"]


@pytest.mark.parametrize("fault", [signal.SIGSEGV, signal.SIGKILL])
def test_a_crash_costs_one_file(fault: signal.Signals, tmp_path: Path) -> None:
    paths: list[Path] = write_pngs(tmp_path, 6)
    paths.insert(1, write_hang(tmp_path / "hang.jpg"))

    def crash_at_the_hang() -> Iterator[Path]:
        yield from paths

    results = decode_files(crash_at_the_hang(), request=REQUEST, workers=1)
    first = next(results)
    (worker,) = children()
    os.kill(worker, fault)
    rest = list(results)
    assert codes([first, *rest]) == ["ok", "E_CRASH", *["ok"] * 5]
    error = rest[0][1]
    assert isinstance(error, InputError)
    assert fault.name in error.found


def test_memory_is_bounded(tmp_path: Path) -> None:
    big = tmp_path / "big.dcm"
    big.write_bytes(dicom_bytes(np.ones((6000, 6000), np.uint16)))
    paths = [*write_pngs(tmp_path, 2), big, *write_pngs(tmp_path, 2)]
    limits = Limits(memory_bytes=360 << 20)
    results = list(decode_files(paths, request=REQUEST, workers=1, limits=limits))
    assert codes(results) == ["ok", "ok", "E_MEMORY", "ok", "ok"]


def test_large_native_pixels_cross_whole(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 256, (1500, 2000), dtype=np.uint8)
    Image.fromarray(values).save(tmp_path / "a.png", compress_level=0)
    ((_, result),) = decode_files([tmp_path / "a.png"], request=Request(key=KEY))
    assert isinstance(result, Scan)
    assert np.array_equal(result.pixels[0], values / np.float32(255))


def test_workers_are_replaced_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("latentdx.scans.pool.RECYCLED_AFTER", 10)
    seen: set[int] = set()
    count = 0
    for _, result in decode_files(write_pngs(tmp_path, 25), request=REQUEST, workers=1):
        assert isinstance(result, Scan)
        seen.update(children())
        count += 1
    assert (count, len(seen)) == (25, 3)


def test_one_sandbox_serves_several_requests(tmp_path: Path) -> None:
    path = str(write_pngs(tmp_path, 1)[0])
    with Sandbox(workers=1) as sandbox:
        found = [
            next(iter(outcome)).pixels.shape  # type: ignore[arg-type, union-attr]
            for size in (None, 16, 8)
            for outcome in sandbox.read([[path], [path]], Request(size=size, key=KEY))
        ]
        (peeked,) = sandbox.peek([str(pydicom_file("CT_small.dcm"))], Request(key=KEY))
        (worker,) = children()
    assert found == [(1, 20, 30)] * 2 + [(1, 16, 16)] * 2 + [(1, 8, 8)] * 2
    assert isinstance(peeked, Peek)
    assert (peeked.kind, peeked.is_lone, len(peeked.series or "")) == ("dicom", False, 16)
    assert not Path(f"/proc/{worker}").exists()


def test_only_a_little_is_read_ahead(tmp_path: Path) -> None:
    (path,) = write_pngs(tmp_path, 1)
    read = 0

    def endless() -> Iterator[Path]:
        nonlocal read
        while True:
            read += 1
            yield path

    results = decode_files(endless(), request=REQUEST, workers=2)
    for _ in range(50):
        next(results)
    assert 50 <= read <= 50 + 2 * 8 + 1
    assert len(children()) <= 2
    results.close()  # type: ignore[attr-defined]
    assert children() == []


def test_an_exception_in_the_consumer_leaves_no_orphans(tmp_path: Path) -> None:
    def consume() -> None:
        for _ in decode_files(write_pngs(tmp_path, 40), request=REQUEST, workers=2):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        consume()
    assert children() == []


def test_ctrl_c_leaves_no_orphans(tmp_path: Path) -> None:
    hang = write_hang(tmp_path / "hang.jpg")
    code = (
        "import signal\n"
        "from latentdx.scans.sandbox import decode_files\n"
        "from latentdx.scans.request import Request\n"
        # shells start what runs in the background without it
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"files = ['none', {str(hang)!r}]\n"
        "for _ in decode_files(files, request=Request(), workers=1):\n"
        "    print('started', flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"started\n"
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) != 0
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_a_worker_that_cannot_start_is_an_error_not_a_loop(tmp_path: Path) -> None:
    results = decode_files(write_pngs(tmp_path, 1), request=REQUEST, limits=Limits(memory_bytes=1))
    with pytest.raises(LatentdxError, match="E_WORKER"):
        list(results)


def test_the_worker_starts_without_the_heavy_libraries() -> None:
    code = (
        "import sys, latentdx.scans.worker\n"
        "heavy = {'torch', 'sklearn', 'matplotlib', 'pandas', 'scipy', 'pyarrow', 'lance'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""
