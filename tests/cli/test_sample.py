"""`latentdx sample`: a trained encoder or bundle, a picture, and what it says of itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from latentdx_command import Ended, class_folders, latentdx, png
from phantom_hospital import Study
from PIL import Image

from latentdx.collection.ingest import ingest
from latentdx.collection.plan import IngestSettings

pytestmark = pytest.mark.slow

Call = Callable[..., Ended]

TILE = 96 + 2


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory, _user: None) -> Path:
    """Trained for an epoch on a few pictures of 16 px, as a user would."""
    root = tmp_path_factory.mktemp("sample")
    settings = IngestSettings(patient_pattern=r"p\d+", size=16, workers=1)
    collection = ingest([class_folders(root / "scans", 24)], root / "collection", settings).path
    made = latentdx(
        *("pretrain", collection, "--to", root / "encoder"),
        *("--autoencoder", "variational", "--epochs", "1"),
    )
    assert made.code == 0, made.err
    return root / "encoder"


def levels(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        assert "Synthetic" in picture.text["Description"]  # type: ignore[attr-defined]
        return np.asarray(picture)


def test_scans_are_drawn_on_one_picture(encoder: Path, here: Call, tmp_path: Path) -> None:
    out = tmp_path / "drawn.png"
    ended = here("sample", encoder, "--out", out, "--count", "6", "--columns", "3")
    assert ended.code == 0, ended.err
    first = levels(out)
    assert first.shape == (2 * TILE - 2, 3 * TILE - 2)
    told, warned = ended.out.splitlines()
    assert told == f"6 scans drawn from variational (seed 0): {out}"
    assert "no scan of anyone" in warned
    assert "patient data" in warned
    again = here("sample", encoder, "--out", out, "--count", "6", "--columns", "3")
    assert again.code == 0
    assert np.array_equal(levels(out), first)
    assert here("sample", encoder, "--out", out, "--count", "6", "--seed", "1").code == 0
    assert levels(out).shape == first.shape
    assert not np.array_equal(levels(out), first)


def test_json_is_one_object_and_the_default_is_sixteen(
    encoder: Path, here: Call, tmp_path: Path
) -> None:
    out = tmp_path / "drawn.PNG"
    ended = here("sample", encoder, "--out", out, "--json")
    assert ended.code == 0, ended.err
    assert ended.json == {"path": str(out), "count": 16, "autoencoder": "variational"}
    assert levels(out).shape == (4 * TILE - 2, 4 * TILE - 2)


def test_between_two_scans_is_a_strip(encoder: Path, here: Call, tmp_path: Path) -> None:
    first, second = png(tmp_path / "a.png", 1), png(tmp_path / "b.png", 2, bright=True)
    out = tmp_path / "between.png"
    options = ("--interpolate", first, second, "--steps", "5")
    ended = here("sample", encoder, "--out", out, *options)
    assert ended.code == 0, ended.err
    strip = levels(out)
    assert strip.shape == (96, 5 * TILE - 2)
    assert str(first) in ended.out
    assert "reconstructions at both ends" in ended.out
    same = ("--interpolate", first, first, "--steps", "2")
    assert here("sample", encoder, "--out", out, *same).code == 0
    start, end = levels(out)[:, :96], levels(out)[:, TILE:]
    assert np.abs(start.astype(int) - strip[:, :96]).max() <= 1
    assert np.abs(start.astype(int) - end).max() <= 1


def test_a_scan_that_cannot_be_read_is_named(encoder: Path, here: Call, tmp_path: Path) -> None:
    good, missing, out = png(tmp_path / "a.png", 1), tmp_path / "none.png", tmp_path / "o.png"
    ended = here("sample", encoder, "--out", out, "--interpolate", good, missing)
    assert ended.code == 2
    assert f"E_IO {missing}" in ended.err
    assert not out.exists()


def test_a_bundle_without_a_prior_is_refused(study: Study, here: Call, tmp_path: Path) -> None:
    """It is found in a bundle, too, and the answer says who has one."""
    bundle, out = study.out / "bundle", tmp_path / "o.png"
    ended = here("sample", bundle, "--out", out)
    assert ended.code == 2
    assert f"E_GENERATIVE {bundle}" in ended.err
    assert "variational" in ended.err
    assert not out.exists()


def test_what_is_no_encoder_is_refused(here: Call, tmp_path: Path) -> None:
    ended = here("sample", tmp_path, "--out", tmp_path / "o.png")
    assert ended.code == 2
    assert f"E_ENCODER {tmp_path}" in ended.err


@pytest.mark.parametrize(
    ("options", "code", "named"),
    [
        (("--out", "drawn.jpg"), "E_OPTION", ".png"),
        (("--out", "nowhere/o.png"), "E_DESTINATION", "does not exist"),
        (("--out", "folder.png"), "E_DESTINATION", "is a folder"),
        (("--out", "o.png", "--interpolate", "a", "b", "--count", "3"), "E_OPTION", "--steps"),
        (("--out", "o.png", "--steps", "3"), "E_OPTION", "--interpolate"),
    ],
)
def test_options_that_do_not_fit_are_refused_before_anything_is_loaded(
    options: tuple[str, ...],
    code: str,
    named: str,
    here: Call,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "folder.png").mkdir()
    monkeypatch.chdir(tmp_path)
    ended = here("sample", "no-encoder", *options)
    assert ended.code == 2
    assert code in ended.err
    assert named in ended.err
