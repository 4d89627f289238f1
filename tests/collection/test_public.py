"""Public sets by name: fetched from a server of this machine, from the cache, or told why not."""

from __future__ import annotations

import hashlib
import io
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import socket

import numpy as np
import pytest

from latentdx.collection.labels import check_spelling
from latentdx.collection.npz import list_npz
from latentdx.collection.public import (
    cache_folder,
    fetch_public,
    is_public,
    label_names,
    licence_note,
    public_set,
)
from latentdx.collection.public_sets import PUBLIC_SETS, PublicSet
from latentdx.core.errors import StopError

SOURCE = "medmnist:breastmnist"


def npz_bytes() -> bytes:
    draw = np.random.default_rng(0).integers
    arrays = {}
    for part, n in (("train", 6), ("val", 3), ("test", 4)):
        arrays[f"{part}_images"] = draw(0, 256, (n, 28, 28), dtype=np.uint8)
        arrays[f"{part}_labels"] = draw(0, 2, (n, 1), dtype=np.uint8)
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


class Quiet(SimpleHTTPRequestHandler):
    """Serves a folder; writes no log; counts what was asked for."""

    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if "_224" in self.path:  # breaks off in the middle
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"PK")
            return
        super().do_GET()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def data() -> bytes:
    return npz_bytes()


@pytest.fixture
def sets(data: bytes) -> dict[str, PublicSet]:
    """The real table, but for the checksum of the small file that the server has."""
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    return {**PUBLIC_SETS, "breastmnist": replace(PUBLIC_SETS["breastmnist"], md5=(md5,) * 4)}


@pytest.fixture
def record(
    tmp_path: Path, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, list[str]]]:
    """The address of a server with the file, and what it was asked for."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    (tmp_path / "site" / "files").mkdir(parents=True)
    for name in ("breastmnist.npz", "breastmnist_64.npz"):
        (tmp_path / "site" / "files" / name).write_bytes(data)
    asked: list[str] = []
    handler = type("Handler", (Quiet,), {"asked": asked})
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(handler, directory=str(tmp_path / "site"))
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def closed() -> str:
    """An address where nobody listens."""
    with socket() as found:
        found.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{found.getsockname()[1]}"


@pytest.fixture
def fetch(
    tmp_path: Path, record: tuple[str, list[str]], sets: dict[str, PublicSet]
) -> Callable[..., Path]:
    return partial(fetch_public, cache=tmp_path / "cache", sets=sets, record=record[0])


def test_a_set_is_downloaded_once_and_is_a_source(
    fetch: Callable[..., Path], record: tuple[str, list[str]], tmp_path: Path, data: bytes
) -> None:
    calls: list[tuple[int, int]] = []
    found = fetch(SOURCE, progress=lambda done, total: calls.append((done, total)))
    assert found == tmp_path / "cache" / "medmnist" / "breastmnist.npz"
    assert found.read_bytes() == data
    assert calls[-1] == (len(data), len(data))
    assert fetch(SOURCE) == found
    assert record[1] == ["/files/breastmnist.npz?download=1"]
    assert [file.name for file in found.parent.iterdir()] == [found.name]
    entries = list_npz(found).entries
    assert len(entries) == 13
    assert {entry.label for entry in entries} <= set(label_names(SOURCE))


def test_another_size_is_another_file(
    fetch: Callable[..., Path], record: tuple[str, list[str]]
) -> None:
    assert fetch("MedMNIST:BreastMNIST@64").name == "breastmnist_64.npz"
    assert record[1] == ["/files/breastmnist_64.npz?download=1"]


def test_the_cache_is_named_by_a_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record: tuple[str, list[str]], sets: object
) -> None:
    monkeypatch.setenv("LATENTDX_CACHE", str(tmp_path / "elsewhere"))
    assert cache_folder() == tmp_path / "elsewhere" / "medmnist"
    found = fetch_public(SOURCE, sets=sets, record=record[0])  # type: ignore[arg-type]
    assert found.parent == cache_folder()


def test_a_file_put_there_by_hand_needs_no_network(
    tmp_path: Path, data: bytes, sets: dict[str, PublicSet], closed: str
) -> None:
    place = tmp_path / "cache" / "medmnist" / "breastmnist.npz"
    place.parent.mkdir(parents=True)
    place.write_bytes(data)
    assert fetch_public(SOURCE, tmp_path / "cache", sets=sets, record=closed) == place


def test_without_a_network_the_message_tells_how_to_do_it_by_hand(
    tmp_path: Path, sets: dict[str, PublicSet], closed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(StopError) as caught:
        fetch_public(SOURCE, tmp_path, sets=sets, record=closed)
    assert caught.value.code == "E_NETWORK"
    place = tmp_path / "medmnist" / "breastmnist.npz"
    for part in (f"{closed}/files/breastmnist.npz", sets["breastmnist"].md5_of(28), str(place)):
        assert part in str(caught.value)
    assert list(place.parent.iterdir()) == []


def test_an_answer_that_is_no_file_is_told_with_its_status(
    fetch: Callable[..., Path], tmp_path: Path
) -> None:
    with pytest.raises(StopError, match=r"^E_NETWORK breastmnist_128\.npz: .*HTTP 404"):
        fetch(SOURCE + "@128")
    assert list((tmp_path / "cache" / "medmnist").iterdir()) == []


def test_a_download_that_breaks_off_leaves_nothing(
    fetch: Callable[..., Path], tmp_path: Path
) -> None:
    with pytest.raises(StopError, match=r"^E_(NETWORK|CHECKSUM) breastmnist_224\.npz: "):
        fetch(SOURCE + "@224")
    assert list((tmp_path / "cache" / "medmnist").iterdir()) == []


def test_a_download_with_another_checksum_is_refused_and_removed(
    fetch: Callable[..., Path], tmp_path: Path, data: bytes
) -> None:
    (tmp_path / "site" / "files" / "breastmnist.npz").write_bytes(data[:-1] + b"x")
    with pytest.raises(StopError, match=r"^E_CHECKSUM breastmnist\.npz: "):
        fetch(SOURCE)
    assert list((tmp_path / "cache" / "medmnist").iterdir()) == []
    (tmp_path / "site" / "files" / "breastmnist.npz").write_bytes(data)
    assert fetch(SOURCE).read_bytes() == data


def test_a_wrong_file_in_the_cache_is_kept_aside_and_the_next_call_downloads(
    fetch: Callable[..., Path], tmp_path: Path, data: bytes
) -> None:
    place = tmp_path / "cache" / "medmnist" / "breastmnist.npz"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"something else")
    with pytest.raises(StopError) as caught:
        fetch(SOURCE)
    assert caught.value.code == "E_CHECKSUM"
    (aside,) = place.parent.iterdir()
    assert aside.read_bytes() == b"something else"
    assert aside.name in str(caught.value)
    assert fetch(SOURCE).read_bytes() == data


def test_a_cache_that_cannot_be_written_is_told(
    tmp_path: Path, sets: dict[str, PublicSet], record: tuple[str, list[str]]
) -> None:
    (tmp_path / "taken").write_bytes(b"")
    with pytest.raises(StopError, match=r"^E_IO ") as caught:
        fetch_public(SOURCE, tmp_path / "taken", sets=sets, record=record[0])
    assert "LATENTDX_CACHE" in caught.value.fix


def test_nothing_is_logged_or_printed(
    fetch: Callable[..., Path],
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    fetch(SOURCE)
    assert capfd.readouterr() == ("", "")
    assert "/" not in " ".join(r.getMessage() for r in caplog.records if r.name == "pooch")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("medmnist:pneumonia", "pneumoniamnist"),
        ("medmnist:organmnist3d@128", "@28, @64"),
        ("medmnist:breastmnist@", "@28, @64, @128, @224"),
        ("medmnist:breastmnist@big", "@224"),
        ("medmnist:", "pathmnist"),
        ("medmnist:../../etc/passwd", "pathmnist"),
    ],
)
def test_unknown_names_and_sizes_are_told_with_what_there_is(source: str, said: str) -> None:
    assert is_public(source)
    with pytest.raises(StopError) as caught:
        public_set(source)
    assert caught.value.code == "E_SOURCE"
    assert said in str(caught.value)


def test_paths_are_no_public_sets() -> None:
    assert not is_public("scans")
    assert not is_public(Path("data") / "medmnist:pneumoniamnist")
    assert is_public(Path("medmnist:pneumoniamnist"))


def test_the_table_is_sound() -> None:
    assert len(PUBLIC_SETS) == 18
    sums = [md5 for known in PUBLIC_SETS.values() for md5 in known.md5]
    assert len(sums) == len(set(sums)) == 12 * 4 + 6 * 2
    assert all(len(md5) == 32 and int(md5, 16) for md5 in sums)
    for name, known in PUBLIC_SETS.items():
        assert name == known.name == name.lower()
        assert known.dims == (3 if name.endswith("3d") else 2)
        assert len(known.md5) == len(known.sizes)
        assert len(known.classes) == len(set(known.classes)) >= 2
        check_spelling(list(known.classes))
        assert known.licence in licence_note(f"medmnist:{name}")


def test_the_numbers_of_the_labels_are_those_of_the_real_file(shared: Path) -> None:
    """The order of classes and the counts, on a rebuilt copy of one set."""
    known = PUBLIC_SETS["pneumoniamnist"]
    with np.load(shared / "medmnist" / "pneumoniamnist.npz") as arrays:
        counts = tuple(len(arrays[f"{part}_labels"]) for part in ("train", "val", "test"))
        test = arrays["test_labels"].ravel()
    assert counts == known.counts
    assert [int((test == number).sum()) for number in (0, 1)] == [234, 390]
    assert label_names("medmnist:pneumoniamnist")["1"] == "pneumonia"


def test_the_page_of_the_sets_is_that_of_the_table() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "public-sets.md").read_text()
    rows = {line.split("`")[1]: line for line in page.splitlines() if line.startswith("| `")}
    assert list(rows) == list(PUBLIC_SETS)
    for name, known in PUBLIC_SETS.items():
        counts = "; ".join(f"{count:,}" for count in known.counts)
        for fact in (known.shows, counts, known.origin, f"| {known.licence} |"):
            assert fact in rows[name]
