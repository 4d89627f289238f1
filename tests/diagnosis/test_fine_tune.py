"""Fine-tuning: what is trained, that it learns, repeats, and leaves the encoder as it was."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from diagnosis_blobs import disc_scans
from sklearn.metrics import roc_auc_score

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.family import BUILT_IN, build
from latentdx.collection.labelled import LabelledScans
from latentdx.diagnosis.consistency import SURE, agreement
from latentdx.diagnosis.fine_tune import fine_tune
from latentdx.diagnosis.fine_tune_blocks import FineTune, tuned_names
from latentdx.diagnosis.fine_tune_loop import Lessons, train_epochs
from latentdx.diagnosis.fine_tune_network import LabelledNetwork
from latentdx.diagnosis.fine_tune_settings import FineTuneSettings
from latentdx.diagnosis.fine_tuned import FineTuned, log_odds
from latentdx.diagnosis.label_losses import parse_loss
from latentdx.features.extract import embed
from latentdx.features.whiten import Standardiser

QUICK = FineTuneSettings(epochs=3, fewest_views=96, batch_size=16, head_rate=5e-3, rate=2e-3)


@cache
def encoder() -> Autoencoder:
    network = build("invariant", {"channels": 1, "size": 16, "widths": (8, 16)}, seed=1)
    network.fit_normalisation(torch.from_numpy(disc_scans(40).pixels))
    return network.eval()


@cache
def tuned(which: FineTune = "last") -> FineTuned:
    return fine_tune(encoder(), disc_scans(80), replace(QUICK, which=which), seed=0)


def weights(network: Autoencoder) -> dict[str, torch.Tensor]:
    return {name: each.detach().clone() for name, each in network.state_dict().items()}


@pytest.mark.parametrize("name", BUILT_IN)
def test_the_last_block_is_part_of_all_and_reaches_no_earlier_layer(name: str) -> None:
    network = build(name, {"channels": 1, "size": 16})
    before = weights(network)
    last, every = (set(tuned_names(network, which)) for which in ("last", "all"))
    assert last
    assert last <= every <= set(dict(network.named_parameters()))
    pixels = torch.rand(2, 1, 16, 16)
    network.eval()
    with torch.no_grad():
        layers = network.layers(pixels)
        for parameter in (dict(network.named_parameters())[each] for each in last):
            parameter += 0.5
        changed = network.layers(pixels)
    for first, again in zip(layers[:-1], changed[:-1], strict=True):
        torch.testing.assert_close(first, again)
    assert not torch.allclose(layers[-1], changed[-1])
    assert tuned_names(network, "head") == ()
    assert set(before) == set(network.state_dict())


@pytest.mark.parametrize("which", ["head", "last", "all"])
def test_only_the_weights_asked_for_change_and_those_of_the_copy(which: FineTune) -> None:
    before = weights(encoder())
    found = tuned(which)
    for name, held in weights(encoder()).items():
        torch.testing.assert_close(held, before[name], rtol=0, atol=0)
    after = weights(found.encoder)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == set(found.names)
    assert (found.names == ()) == (which == "head")


def test_it_learns_what_labels_say() -> None:
    new = disc_scans(100, seed=9)
    for which in ("head", "last"):
        scores = tuned(which).scores(new.pixels)  # type: ignore[arg-type]
        assert scores.shape == (100, 1)
        assert scores.dtype == np.float32
        assert roc_auc_score(new.labels, scores[:, 0]) > 0.75


def test_it_repeats_and_depends_on_the_seed() -> None:
    new = disc_scans(10, seed=9).pixels
    before = torch.random.get_rng_state()
    again = fine_tune(encoder(), disc_scans(80), QUICK, seed=0).scores(new)
    other = fine_tune(encoder(), disc_scans(80), QUICK, seed=1).scores(new)
    np.testing.assert_array_equal(tuned().scores(new), again)
    assert (again != other).all()
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_score_depends_on_the_scan_alone() -> None:
    new = disc_scans(12, seed=9).pixels
    whole = tuned().scores(new)
    np.testing.assert_allclose(tuned().scores(new[:1]), whole[:1], atol=1e-5)


def test_epochs_are_chosen_without_the_labels_of_others_and_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With labels drawn by lot the first epochs are no worse than the last: few are kept."""
    told: list[tuple[int, int]] = []
    found = fine_tune(
        encoder(),
        disc_scans(40),
        QUICK,
        seed=0,
        tell=lambda done, total: told.append((done, total)),
    )
    assert 1 <= found.facts.epochs <= QUICK.epochs
    assert {total for _, total in told} == {4 * QUICK.epochs}
    assert [done for done, _ in told] == list(range(1, 3 * QUICK.epochs + found.facts.epochs + 1))


def test_too_few_patients_for_folds_take_half_of_the_epochs() -> None:
    scans = disc_scans(8)
    scans = replace(scans, patients=scans.labels.astype(str))
    found = fine_tune(encoder(), scans, QUICK, seed=0)
    assert found.facts.epochs == 2


def three_classes(scans: LabelledScans) -> LabelledScans:
    return replace(scans, labels=np.arange(len(scans)) % 3, classes=("a", "b", "c"))


@pytest.mark.parametrize("loss", ["focal", "logit-adjusted", "balanced-softmax"])
def test_every_loss_trains_any_number_of_classes(loss: str) -> None:
    settings = replace(QUICK, epochs=1, loss=parse_loss(loss), sampling="square-root")
    found = fine_tune(encoder(), three_classes(disc_scans(60)), settings, seed=0)
    scores = found.scores(disc_scans(5).pixels)
    assert scores.shape == (5, 3)
    assert np.isfinite(scores).all()
    assert found.facts.loss == loss


def test_log_odds_are_of_a_class_against_all_others() -> None:
    logits = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    table = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(log_odds(logits), np.log(table / (1 - table)), rtol=1e-4)
    np.testing.assert_allclose(log_odds(logits[:, :2])[:, 0], logits[:, 1] - logits[:, 0])


def test_unlabelled_scans_teach_by_what_is_sure() -> None:
    """Without labels to learn from (rate of the labelled loss apart) their agreement falls."""
    sure = torch.tensor([[0.0, 12.0], [12.0, 0.0]])
    unsure = torch.tensor([[0.0, 1.0], [0.0, 1.0]])
    assert float(unsure.softmax(dim=1).max()) < SURE
    assert float(agreement(unsure, torch.randn(2, 2))) == 0
    wrong, right = agreement(sure, -sure), agreement(sure, sure)
    assert float(wrong) > 10 > 0.01 > float(right)


def test_consistency_changes_the_training_only_where_scans_are_there() -> None:
    settings = replace(QUICK, epochs=2, consistency=1.0)
    scans, others = disc_scans(40), disc_scans(60, seed=3).pixels
    plain, with_others, without = (
        fine_tune(encoder(), scans, how, seed=0, unlabelled=pixels)
        for how, pixels in (
            (replace(settings, consistency=0.0), others),
            (settings, others),
            (settings, None),
        )
    )
    assert with_others.facts.consistency
    assert not without.facts.consistency
    assert not plain.facts.consistency
    new = disc_scans(10, seed=9).pixels
    assert (with_others.scores(new) != plain.scores(new)).any()


def test_averaged_weights_are_handed_out_and_the_network_goes_on_with_its_own() -> None:
    scans = disc_scans(40)
    lessons = Lessons(scans.pixels, scans.labels, 2, scans.pixels[:0])
    names = tuned_names(encoder(), "last")
    standardiser = Standardiser.fit(embed(encoder(), scans.pixels, "pooled"))
    network = LabelledNetwork(copy.deepcopy(encoder()), names, standardiser, 2)
    handed, own = [], []
    for found in train_epochs(network, lessons, replace(QUICK, average=0.9), seed=0):
        handed.append(found.linear.weight.detach().clone())
    own.append(network.linear.weight.detach().clone())
    assert not torch.equal(handed[-1], own[-1])
    assert not torch.equal(handed[0], handed[1])
