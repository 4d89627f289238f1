"""`pretrain`: its options reach the engine; processes, trackers and a TOML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from latentdx_command import latentdx

from latentdx.autoencoder.objectives.names import OBJECTIVES
from latentdx.cli import network_options
from latentdx.cli.processes import _without_option
from latentdx.collection.store import Collection
from latentdx.collection.table import ScanRow
from latentdx.core.errors import StopError
from latentdx.study.encoder import load_encoder


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    rows = [
        ScanRow(f"id{number}", f"{number}.png", generator.random((1, 16, 16), np.float32),
                f"{number:064}", patient=f"p{number}")
        for number in range(48)
    ]  # fmt: skip
    Collection.create(tmp_path / "c", size=16, channels=1).append(rows)
    return tmp_path / "c"


def test_objectives_have_their_own_weight_or_the_given_one() -> None:
    assert network_options.objectives(None) == {}
    found = network_options.objectives(["vicreg", "rotation=0.5"])
    assert found == {"vicreg": OBJECTIVES["vicreg"].weight, "rotation": 0.5}
    for wrong, code in ((["vicreg=much"], "E_CONFIG"), (["nothing"], "E_NAME")):
        with pytest.raises(StopError) as caught:
            network_options.objectives(wrong)
        assert caught.value.code == code


def test_settings_of_a_network_are_json_or_text() -> None:
    found = network_options.network(["widths=[8, 16]", "attention=both", "k=2", "odd=a=b"])
    assert found == {"widths": [8, 16], "attention": "both", "k": 2, "odd": "a=b"}
    with pytest.raises(StopError, match="no pair"):
        network_options.network(["widths"])


def test_a_command_line_without_its_processes() -> None:
    words = ["pretrain", "c", "--processes", "2", "--to", "e"]
    assert _without_option(words) == ["pretrain", "c", "--to", "e"]
    assert _without_option(["a", "--processes=4", "b"]) == ["a", "b"]


@pytest.mark.slow
def test_all_that_is_asked_for_reaches_the_encoder(collection: Path, tmp_path: Path) -> None:
    config = tmp_path / "best.toml"
    config.write_text('autoencoder = "residual"\nepochs = 9\n[network]\nwidths = [8, 16]\n')
    call: tuple[Any, ...] = ("pretrain", collection, "--to", tmp_path / "e", "--config", config)
    call += ("--network", "attention=channel", "--objective", "barlow", "--epochs", 2)
    call += ("--learning-rate", 0.001, "--schedule", "schedule-free", "--ema", 0.9)
    ended = latentdx(*call, "--accumulate", 2, "--latent-dim", 3, "--track", "tensorboard")
    assert ended.code == 0, ended.err
    network = load_encoder(tmp_path / "e").network
    told = network.settings()
    assert (told["widths"], told["attention"], told["latent_dim"]) == ([8, 16], "channel", 3)
    assert list((tmp_path / "e" / "tracking" / "tensorboard").iterdir())
    page = (tmp_path / "e" / "report.html").read_text()
    assert "barlow" in page


@pytest.mark.slow
def test_processes_train_one_encoder(collection: Path, tmp_path: Path) -> None:
    call = ("pretrain", collection, "--autoencoder", "convolutional", "--epochs", 2)
    call += ("--precision", "fp32")
    both = latentdx(*call, "--to", tmp_path / "two", "--processes", 2)
    assert both.code == 0, both.err
    one = latentdx(*call, "--to", tmp_path / "one")
    first, second = (load_encoder(tmp_path / name).network for name in ("one", "two"))
    for key, held in first.state_dict().items():
        np.testing.assert_allclose(second.state_dict()[key], held, rtol=1e-2, atol=1e-4)
    assert both.out.startswith("48 scans")
    assert one.out.split(",")[0] == both.out.split(",")[0]
    again = latentdx(*call, "--to", tmp_path / "two", "--processes", 2)
    assert again.code == 2
    assert again.err.count("E_DESTINATION") == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wrong", "code"),
    [(("--objective", "nothing"), "E_NAME"), (("--autoencoder", "nothing"), "E_"),
     (("--network", "nothing=1"), "E_CONFIG"), (("--track", "paper"), "E_CONFIG"),
     (("--schedule", "sine"), "E_CONFIG")],
)  # fmt: skip
def test_wrong_settings_are_refused_in_words(
    wrong: tuple[str, str], code: str, collection: Path, tmp_path: Path
) -> None:
    ended = latentdx("pretrain", collection, "--to", tmp_path / "e", "--epochs", 1, *wrong)
    assert ended.code == 2, ended.err
    assert code in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.slow
def test_it_begins_from_other_weights_as_asked(collection: Path, tmp_path: Path) -> None:
    call = ("pretrain", collection, "--to", tmp_path / "e", "--from", "starter", "--epochs", 1)
    ended = latentdx(*call, "--freeze", 1, "--low-rank", 2)
    assert ended.code == 0, ended.err
    assert "began from the weights of starter" in ended.err
    (record,) = load_encoder(tmp_path / "e").ancestry
    told = {name: record[name] for name in ("from", "frozen", "low_rank", "trained")}
    assert told == {"from": "starter", "frozen": 1, "low_rank": 2, "trained": True}
