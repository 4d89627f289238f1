"""``--epsilon``: told in metrics, card, page and encoder; refused where it cannot be kept."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from latentdx.collection.store import Collection
from latentdx.collection.table import ScanRow
from latentdx.core.errors import StopError
from latentdx.study.encoder import load_encoder
from latentdx.study.private import check_private
from latentdx.study.reporter import Silent
from latentdx.study.run import run_study
from latentdx.study.separate import pretrain_collection
from latentdx.study.settings import RunSettings


def write_collection(path: Path, n_patients: int) -> Path:
    """Two scans a patient; every other one holds a bright square."""
    generator = np.random.default_rng(0)
    rows = []
    for number in range(2 * n_patients):
        pixels = generator.random((1, 12, 12), np.float32) / 2
        pixels[0, 3:8, 3:8] += 0.5 * (number // 2 % 2)
        label = ("clear", "square")[number // 2 % 2]
        row = ScanRow(f"id{number}", f"{number}.png", pixels, f"{number:064}", label=label)
        rows.append(replace(row, patient=f"p{number // 2}"))
    collection = Collection.create(path, size=12, channels=1)
    collection.append(rows)
    collection.mark_complete({})
    return path


def settings_of(path: Path, **more: object) -> RunSettings:
    small = {"autoencoder": "convolutional", "network": {"widths": [4, 8]}, "epochs": 1}
    given = {"source": str(path), "classifier": "prototypes", "features": "pooled", **small, **more}
    return RunSettings(**given)  # type: ignore[arg-type]


@pytest.mark.slow
def test_what_is_guaranteed_stands_in_all_that_leaves_the_house(tmp_path: Path) -> None:
    collection = write_collection(tmp_path / "c", 60)
    settings = settings_of(collection, epsilon=8.0, delta=1e-4, fine_tune="none")
    result = run_study(settings, tmp_path / "run")
    told = result.metrics["privacy"]
    assert (told["epsilon"], told["delta"], told["unit"]) == (8.0, 1e-4, "patient")
    assert told["n_units"] == 36  # train has three fifths of the patients
    card = (tmp_path / "run" / "bundle" / "README.md").read_text()
    assert "epsilon 8, delta 0.0001, the unit being a patient (36 of them" in card
    assert "epsilon 8, delta 0.0001 for each patient" in (tmp_path / "run/report.html").read_text()
    encoder = tmp_path / "encoder"
    pretrain_collection(collection, encoder, settings, Silent())
    assert json.loads((encoder / "encoder.json").read_text())["privacy"] == told
    network = load_encoder(encoder).network
    assert (float(network.mean), float(network.std)) == (0.5, 0.25), "no moments of these scans"


def test_what_cannot_be_private_is_refused_before_anything_is_read() -> None:
    for more, text in (
        ({"epsilon": 1.0, "autoencoder": "invariant"}, "joins scans"),
        ({"delta": 1e-5}, "--delta without --epsilon"),
        ({"epsilon": 1.0, "start": "encoder"}, "--from does not go"),
    ):
        with pytest.raises(StopError, match=text) as caught:
            check_private(settings_of(Path("nowhere"), **more))
        assert caught.value.code == "E_OPTION"
    check_private(settings_of(Path("nowhere")))
