"""A bundle comes back bit for bit, holds data only, and appears whole or not at all."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bundle_models import CARD, NAMES, RECIPES, SIZE, Recipe, bars, model_of, saved
from PIL import Image

from latentdx.bundle.load import load_bundle
from latentdx.collection.terms import Term
from latentdx.core.errors import StopError
from latentdx.diagnosis.model import DiagnosticModel

every_recipe = pytest.mark.parametrize(
    "recipe", RECIPES, ids=lambda recipe: "-".join(map(str, recipe))
)


@every_recipe
def test_a_loaded_model_computes_the_same_bit_for_bit(recipe: Recipe, tmp_path: Path) -> None:
    model = model_of(recipe)
    told = saved(model, tmp_path / "bundle")
    loaded = load_bundle(tmp_path / "bundle")
    pixels = bars(10, n_classes=recipe.n_classes, seed=5).pixels
    before, after = model.compute(pixels), loaded.compute(pixels)
    for field in fields(before):
        first, second = getattr(before, field.name), getattr(after, field.name)
        if field.name == "importance":  # no cases are decided here
            assert first is second is None
            continue
        assert first.dtype == second.dtype, field.name
        np.testing.assert_array_equal(first, second, err_msg=field.name)
    assert loaded.bundle == told
    assert (loaded.classes, loaded.kind, loaded.flip) == (model.classes, model.kind, model.flip)
    assert (loaded.head.strength, loaded.head.threshold) == (
        model.head.strength,
        model.head.threshold,
    )


@every_recipe
def test_the_models_are_worth_comparing(recipe: Recipe) -> None:
    scans = bars(60, n_classes=recipe.n_classes, seed=6)
    outputs = model_of(recipe).compute(scans.pixels)
    assert (outputs.decisions == scans.labels).mean() > 0.6
    assert outputs.probabilities.std() > 0.05
    assert 0 < model_of(recipe).sets.cutoffs[0] < 1


def test_codes_of_classes_come_back(tmp_path: Path) -> None:
    terms = {"1 bars": Term(snomed="17621005"), "2 bars": Term(icd10="J18.9", radlex="RID5350")}
    saved(replace(model_of(RECIPES[0]), terms=terms), tmp_path / "bundle")
    loaded = load_bundle(tmp_path / "bundle")
    assert isinstance(loaded, DiagnosticModel)
    assert loaded.terms == terms


def test_saving_twice_gives_the_same_bundle(tmp_path: Path) -> None:
    model = model_of(RECIPES[0])
    first, second = saved(model, tmp_path / "a"), saved(model, tmp_path / "b")
    assert first == second
    assert [(tmp_path / "a" / name).read_bytes() for name in NAMES] == [
        (tmp_path / "b" / name).read_bytes() for name in NAMES
    ]


def test_a_loaded_model_can_be_saved_again(bundle: Path, tmp_path: Path) -> None:
    again = saved(load_bundle(bundle), tmp_path / "again")
    assert again == load_bundle(bundle).bundle


def test_a_bundle_holds_data_only(bundle: Path) -> None:
    assert sorted(path.name for path in bundle.iterdir()) == sorted(NAMES)
    for path in bundle.iterdir():
        data = path.read_bytes()
        assert path.suffix in {".json", ".safetensors", ".md"}
        assert not data.startswith((b"\x80\x04", b"\x80\x05", b"PK"))
        if path.suffix == ".json":
            json.loads(data)
        if path.suffix == ".safetensors":  # a header in JSON, then the arrays that it tells of
            start = 8 + int.from_bytes(data[:8], "little")
            told = json.loads(data[8:start]).values()
            assert start + max(entry["data_offsets"][1] for entry in told) == len(data)


def test_the_description_tells_what_the_model_is(bundle: Path) -> None:
    told = json.loads((bundle / "bundle.json").read_text())
    model = model_of(RECIPES[0])
    assert told["format"] == "latentdx-bundle"
    assert told["version"] == 2
    assert told["classes"] == ["1 bars", "2 bars"]
    assert told["encoder"] == {"name": "convolutional", "settings": model.encoder.settings()}
    assert told["head"]["threshold"] == model.head.threshold
    assert told["head"]["coverage"] == 0.9
    assert (told["split_hash"], told["counts"], told["seed"]) == ("the split", {"train": 48}, 0)
    assert (bundle / "README.md").read_text() == CARD


ALONE = """
import json, sys
from latentdx import load_bundle
model = load_bundle(sys.argv[1])
found = model.predict(sys.argv[2:])[0]
heavy = {"sklearn", "matplotlib", "pandas", "skimage", "rich", "typer"} & set(sys.modules)
print(json.dumps([found.as_json(), sorted(heavy)]))
"""


def test_a_deployment_needs_neither_scikit_learn_nor_plots_nor_frames(
    bundle: Path, tmp_path: Path
) -> None:
    picture = tmp_path / "scan.png"
    Image.fromarray((bars(1).pixels[0, 0] * 255).astype(np.uint8)).save(picture)
    command = [sys.executable, "-P", "-W", "error", "-c", ALONE, str(bundle), str(picture)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    told, heavy = json.loads(done.stdout)
    assert heavy == []
    assert told == load_bundle(bundle).predict([picture])[0].as_json()
    assert told["status"] == "ok"


def disk_full(*_: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def files_of(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir()}


def fails_at(monkeypatch: pytest.MonkeyPatch, file: str) -> None:
    """Let the disk be full when this file is written."""
    from latentdx.bundle import save

    real = save.write_atomic

    def write(path: Path, data: bytes) -> None:
        return disk_full() if path.name == file else real(path, data)

    monkeypatch.setattr(save, "write_atomic", write)


@pytest.mark.parametrize("file", NAMES)
def test_an_interrupted_save_leaves_the_old_bundle(
    file: str, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files_of(bundle)
    fails_at(monkeypatch, file)
    with pytest.raises(StopError, match="No space left") as caught:
        saved(model_of(RECIPES[1]), bundle)
    assert caught.value.code == "E_IO"
    assert files_of(bundle) == before
    assert [path.name for path in bundle.parent.iterdir()] == ["bundle"]


@pytest.mark.parametrize("file", NAMES)
def test_an_interrupted_first_save_leaves_nothing(
    file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails_at(monkeypatch, file)
    with pytest.raises(StopError):
        saved(model_of(RECIPES[0]), tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


def test_a_save_killed_at_any_rename_or_removal_leaves_a_whole_bundle(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever step of the replacement fails, one of the two bundles lies there whole."""
    from latentdx.bundle import save

    old = load_bundle(bundle).bundle
    new = saved(model_of(RECIPES[1]), tmp_path / "new")
    renamed = Path.rename

    def rename(path: Path, target: Path) -> Path:
        if path.name.endswith(".tmp") and Path(target) == bundle:
            disk_full()
        return renamed(path, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(StopError) as caught:
        saved(model_of(RECIPES[1]), bundle)
    assert caught.value.code == "E_IO"
    assert load_bundle(bundle).bundle == old
    monkeypatch.undo()
    monkeypatch.setattr(save, "sync_folder", lambda _: None)
    assert saved(model_of(RECIPES[1]), bundle) == new
    assert load_bundle(bundle).bundle == new
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle", "new"]


def test_a_new_bundle_replaces_the_old(bundle: Path) -> None:
    (bundle / "left over").write_text("of the old one")
    told = saved(model_of(RECIPES[1]), bundle)
    assert load_bundle(bundle).bundle == told
    assert sorted(path.name for path in bundle.iterdir()) == sorted(NAMES)


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_something_else_at_the_place_is_left_alone(kind: str, bundle: Path) -> None:
    place = bundle.parent / "place"
    if kind == "file":
        place.write_text("a thesis")
    elif kind == "folder":
        place.mkdir()
        (place / "thesis.txt").write_text("a thesis")
    else:
        place.symlink_to(bundle)
    before = files_of(bundle)
    with pytest.raises(StopError) as caught:
        saved(model_of(RECIPES[1]), place)
    assert caught.value.code == "E_DESTINATION"
    assert files_of(bundle) == before
    assert place.is_symlink() == (kind == "link")
    held = place if kind == "file" else place / "thesis.txt"
    assert kind == "link" or held.read_text() == "a thesis"
    assert sorted(path.name for path in bundle.parent.iterdir()) == ["bundle", "place"]


def test_size_of_scans_is_that_of_the_models(bundle: Path) -> None:
    request = load_bundle(bundle).request(b"key")
    assert (request.size, request.channels) == (SIZE, 1)
