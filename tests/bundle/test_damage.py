"""A damaged, foreign or newer bundle is refused by name, whatever was done to it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bundle_models import NAMES, RECIPES, model_of, renew_checksums, rewrite, saved
from safetensors.numpy import load_file, save_file

from latentdx.bundle.load import load_bundle
from latentdx.core.errors import IntegrityError

every_file = pytest.mark.parametrize("name", NAMES)


def code_of(path: Path) -> str:
    with pytest.raises(IntegrityError) as caught:
        load_bundle(path)
    assert caught.value.path == str(path)
    return caught.value.code


def test_the_bundle_is_whole_before_it_is_damaged(bundle: Path) -> None:
    load_bundle(bundle)
    renew_checksums(bundle)
    load_bundle(bundle)


@every_file
@pytest.mark.parametrize("place", [0.0, 0.01, 0.5, 0.9, 1.0])
def test_a_flipped_bit_is_refused(name: str, place: float, bundle: Path) -> None:
    data = bytearray((bundle / name).read_bytes())
    data[round(place * (len(data) - 1))] ^= 4
    (bundle / name).write_bytes(data)
    assert code_of(bundle) == "E_MODEL_INTEGRITY"


def test_any_bit_of_the_checksums_is_checked(bundle: Path) -> None:
    file = bundle / "checksums.json"
    data = file.read_bytes()
    for place in range(0, len(data), 3):
        changed = bytearray(data)
        changed[place] ^= 1 << place % 8
        file.write_bytes(changed)
        assert code_of(bundle) == "E_MODEL_INTEGRITY", place


@every_file
@pytest.mark.parametrize("kept", [0, 1, 10, -1])
def test_a_cut_file_is_refused(name: str, kept: int, bundle: Path) -> None:
    (bundle / name).write_bytes((bundle / name).read_bytes()[:kept])
    assert code_of(bundle) == "E_MODEL_INTEGRITY"


@pytest.mark.parametrize("name", ["bundle.json", "encoder.safetensors", "head.safetensors"])
def test_a_cut_file_is_refused_also_where_the_checksums_fit(name: str, bundle: Path) -> None:
    (bundle / name).write_bytes((bundle / name).read_bytes()[:-9])
    renew_checksums(bundle)
    assert code_of(bundle) == "E_MODEL_INTEGRITY"


@every_file
@pytest.mark.parametrize("instead", ["nothing", "folder", "link"])
def test_a_file_that_is_missing_or_no_plain_file_is_refused(
    name: str, instead: str, bundle: Path
) -> None:
    moved = bundle.parent / name
    (bundle / name).rename(moved)
    if instead == "folder":
        (bundle / name).mkdir()
    elif instead == "link":
        (bundle / name).symlink_to(moved)
    assert code_of(bundle) == "E_MODEL_INTEGRITY"


@pytest.mark.parametrize("kind", ["nothing", "file", "empty folder"])
def test_what_is_no_bundle_is_refused(kind: str, tmp_path: Path) -> None:
    place = tmp_path / "bundle"
    if kind == "file":
        place.write_text("a thesis")
    elif kind == "empty folder":
        place.mkdir()
    assert code_of(place) == "E_MODEL_INTEGRITY"


@every_file
def test_files_of_two_bundles_are_not_mixed(name: str, bundle: Path) -> None:
    other = bundle.parent / "other"
    saved(model_of(RECIPES[2]), other)
    if name != "README.md":
        shutil.copy(other / name, bundle / name)
    else:
        (bundle / name).write_text("# Another model\n")
    assert code_of(bundle) == "E_MODEL_INTEGRITY"


@pytest.mark.parametrize("name", ["bundle.json", "encoder.safetensors", "head.safetensors"])
def test_files_of_two_bundles_do_not_fit_each_other_whatever_the_checksums_say(
    name: str, bundle: Path
) -> None:
    other = bundle.parent / "other"
    saved(model_of(RECIPES[2]), other)
    shutil.copy(other / name, bundle / name)
    renew_checksums(bundle)
    assert code_of(bundle) == "E_MODEL_INTEGRITY"


@pytest.mark.parametrize(
    "change",
    [
        {"format": "another"},
        {"classes": ["one"]},
        {"classes": ["one", "two", "three"]},
        {"unknown": 1},
        {"version": "first"},
        {"encoder__name": "transformer"},
        {"encoder__settings": {"channels": 1, "size": 20, "widths": [8, 16]}},
        {"encoder__settings": {"depth": 3}},
        {"encoder__settings": {"channels": 3, "size": 16, "widths": [8, 16]}},
        {"encoder__settings": {"channels": 1, "size": 16, "widths": []}},
        {"head__classifier": "forest"},
        {"head__classifier": "logistic"},
        {"head__features": "latent"},
        {"head__cutoff": 1.5},
        {"head__flip": "perhaps"},
    ],
    ids=str,
)
def test_a_description_that_does_not_fit_is_refused(change: dict[str, Any], bundle: Path) -> None:
    rewrite(bundle, **change)
    assert code_of(bundle) == "E_MODEL_INTEGRITY"


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"null", b'{"version": NaN}', b"\xff\xfe", b"[" * 100_000]
)
def test_a_description_that_is_none_is_refused(text: bytes, bundle: Path) -> None:
    (bundle / "bundle.json").write_bytes(text)
    renew_checksums(bundle)
    assert code_of(bundle) == "E_MODEL_INTEGRITY"


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b"\xff\xfe", b"[" * 100_000])
def test_checksums_that_are_none_are_refused(text: bytes, bundle: Path) -> None:
    (bundle / "checksums.json").write_bytes(text)
    assert code_of(bundle) == "E_MODEL_INTEGRITY"


@pytest.mark.parametrize("version", [1, 3, 100])
def test_another_version_is_told_apart_from_damage(version: int, bundle: Path) -> None:
    rewrite(bundle, version=version)
    assert code_of(bundle) == "E_MODEL_VERSION"
    rewrite(bundle, head={"wholly": "different"}, news=[1, 2])
    assert code_of(bundle) == "E_MODEL_VERSION"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda arrays: arrays.pop("gate.units"),
        lambda arrays: arrays.pop("machine.gamma"),
        lambda arrays: arrays.update({"standardiser.more": np.zeros(2, np.float32)}),
        lambda arrays: arrays.update({"standardiser.mean": np.zeros(3, np.float32)}),
        lambda arrays: arrays.update({"gate.reference": np.zeros(0, np.float32)}),
        lambda arrays: arrays.update({"components.axes": arrays["components.axes"][:, :2].copy()}),
        lambda arrays: arrays.update({"calibration.slopes": np.ones(3)}),
    ],
    ids=["no-units", "no-gamma", "more", "short-mean", "empty-gate", "few-axes", "slopes"],
)
def test_arrays_that_do_not_fit_are_refused(spoil: Any, bundle: Path) -> None:
    arrays = load_file(bundle / "head.safetensors")
    spoil(arrays)
    save_file(arrays, bundle / "head.safetensors")
    renew_checksums(bundle)
    assert code_of(bundle) == "E_MODEL_INTEGRITY"


def test_a_pickle_in_the_place_of_weights_is_refused_unread(bundle: Path) -> None:
    import pickle

    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (bundle / "sprung",))

    for name in ("encoder.safetensors", "head.safetensors"):
        (bundle / name).write_bytes(pickle.dumps(Trap()))
    renew_checksums(bundle)
    assert code_of(bundle) == "E_MODEL_INTEGRITY"
    assert not (bundle / "sprung").exists()
