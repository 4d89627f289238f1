"""The learning steps: an autoencoder from all scans, a classifier from the labelled ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import numpy as np
from torch import nn

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.engine.checkpoint import Epoch
from latentdx.autoencoder.engine.data import as_source
from latentdx.autoencoder.engine.fit import Pool, pretrain
from latentdx.autoencoder.engine.health import health_notes
from latentdx.autoencoder.engine.processes import is_first
from latentdx.autoencoder.engine.settings import FitSettings
from latentdx.autoencoder.engine.tracking import tracked
from latentdx.autoencoder.engine.watch import Watch
from latentdx.autoencoder.low_rank import low_rank
from latentdx.autoencoder.transfer import kept
from latentdx.bundle.save import encoder_bytes
from latentdx.collection.labelled import LabelledScans
from latentdx.collection.tasks import TaskName
from latentdx.core.hashing import hash_bytes, hash_json
from latentdx.core.seeds import derive_seed
from latentdx.diagnosis.adapted_head import knowing_looks
from latentdx.diagnosis.anomaly import AnomalyGate
from latentdx.diagnosis.gate_fit import fit_gate
from latentdx.diagnosis.gate_header import Headers
from latentdx.diagnosis.head import Head, HeadSettings, train_head
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.diagnosis.own_classifier import class_name
from latentdx.diagnosis.semi_supervised import GUESSING
from latentdx.diagnosis.set_rule import SetRule
from latentdx.diagnosis.views import Viewed
from latentdx.features.extract import embed
from latentdx.features.kinds import FeatureKind
from latentdx.features.table import Extract
from latentdx.report.ancestry import ancestry_sentences
from latentdx.scans.policy import Policy
from latentdx.study.ancestor import load_ancestor
from latentdx.study.beginning import Beginning, first_network, settle
from latentdx.study.curve import Curve
from latentdx.study.decide import decide_by, notes_of
from latentdx.study.domains import alignment_told, hashes_of, pool_of
from latentdx.study.fine_tuning import fine_tuned
from latentdx.study.folder import RunFolder
from latentdx.study.looks import augmentation_of, looks_told, views_of
from latentdx.study.own_masks import focus_told, hashes_of_masks, with_masks
from latentdx.study.places import timed
from latentdx.study.prepare import Prepared
from latentdx.study.pretrained import Pretrained
from latentdx.study.private import budget_of, privacy_of
from latentdx.study.reporter import Clock
from latentdx.study.settings import RunSettings
from latentdx.study.taken_up import checkpoints_for
from latentdx.study.unlabelled import MOST, MOST_FOR_SCALE, unlabelled_table

_PLACES = {"source", "labels", "unlabelled", "start"}


def head_settings(settings: RunSettings, task: TaskName = "classes") -> HeadSettings:
    """How a run fits its classifiers for a task, the baselines' included."""
    return HeadSettings(
        classifier=class_name(settings.classifier),
        flip=settings.flip,
        calibration=settings.calibration,
        semi_supervised=settings.semi_supervised,
        pool=settings.pool,
        ordered=task == "ordinal",
    )


def pretrain_step(
    prepared: Prepared,
    settings: RunSettings,
    folder: RunFolder,
    clock: Clock,
    *,
    autoencoder: nn.Module | None = None,
) -> Pretrained:
    """Train the autoencoder on train and pretrain scans; no scan of a held-out part is in them.

    It begins from weights that were learned elsewhere where the settings say so. `autoencoder`: a
    user's own module, of which a copy is trained. Raises the errors of `first_network` and, where
    the other weights have seen a held-out scan, `LeakageError` ``E_SEEN``; those of `domains_of`
    and `with_masks`.
    """
    if settings.start is not None:
        load_ancestor(settings.start, autoencoder).require_unseen(prepared.table, prepared.split)
    text = "Training the autoencoder" if settings.epochs != 0 else "Taking over the autoencoder"
    clock.step("pretrain", f"{text} without labels")
    pool = pool_of(prepared, settings, clock)
    begun = first_network(settings, as_source(pool.train), autoencoder)
    pool = with_masks(pool, begun.network, prepared, settings, clock)
    for sentence in ancestry_sentences(begun.descent.ancestry):
        clock.note(sentence)
    spent = budget_of(pool, fit_settings(settings), begun.network, clock)
    history = _trained(begun, pool, prepared, settings, folder, clock)
    return Pretrained(
        *(begun.network, history, len(pool.train), autoencoder, begun.descent, spent),
        alignment=alignment_told(pool.domains, settings),
        looks=looks_told(settings),
        focus=focus_told(pool.masks),
    )


def _trained(
    begun: Beginning,
    pool: Pool,
    prepared: Prepared,
    settings: RunSettings,
    folder: RunFolder,
    clock: Clock,
) -> Sequence[Epoch]:
    network = begun.network
    if settings.epochs == 0:
        settle(network, as_source(pool.train), seed=settings.seed)
        return ()
    fit = timed(fit_settings(settings, training_modalities(prepared)), prepared, settings)
    first = hash_bytes(encoder_bytes(network))
    facts = [prepared.split.hash, network.settings(), settings.seed, repr(fit), first]
    beside = [*hashes_of(pool.domains), *hashes_of_masks(pool.masks)]
    key = hash_json([*facts, settings.freeze, settings.low_rank, *beside])
    checkpoints = checkpoints_for(folder.checkpoints, key)
    few = low_rank(network, settings.low_rank, seed=settings.seed)
    with _watched(settings, folder, clock) as watch, kept(network, settings.freeze), few:
        history = pretrain(
            network,
            pool,
            fit,
            seed=derive_seed(settings.seed, "pretrain"),
            checkpoints=checkpoints,
            watch=watch,
        )
    for note in health_notes(history):
        clock.note(note)
    return history


@contextmanager
def _watched(settings: RunSettings, folder: RunFolder, clock: Clock) -> Iterator[Watch]:
    """Progress with the loss curve for the reporter, and the trackers asked for."""
    curve = Curve()
    facts = settings.model_dump(mode="json", exclude=_PLACES)
    with tracked(settings.track if is_first() else (), folder.tracking, facts) as tell:

        def ended(number: int, epoch: Epoch) -> None:
            curve.add(number, epoch)
            tell(number, epoch)

        yield Watch(lambda at: clock.progress(at.step, at.steps, curve.text(at)), ended)


def training_modalities(prepared: Prepared) -> list[str]:
    """DICOM's codes of the scans that the autoencoder learns from, ``""`` where not known."""
    codes: list[str] = prepared.table.modality[prepared.split.rows("train", "pretrain")].tolist()
    return codes


def fit_settings(settings: RunSettings, modalities: Iterable[str] = ()) -> FitSettings:
    """The classic recipe trains by plain Adam, the default by AdamW.

    `modalities`: DICOM's codes of the scans, which ``auto`` chooses the views by.
    """
    decay = 0.0 if settings.autoencoder == "convolutional" else FitSettings.weight_decay
    minutes = settings.minutes
    return FitSettings(
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        accumulate=settings.accumulate,
        learning_rate=settings.learning_rate,
        schedule=settings.schedule,
        ema=settings.ema,
        objectives=settings.objectives,
        views=views_of(settings, modalities),
        augment=augmentation_of(settings),
        deterministic=settings.deterministic,
        sharding=settings.sharding,
        weight_decay=decay,
        # The time is for all trainings: the run's own, and one a fold and a seed.
        minutes=minutes and 0.6 * minutes / settings.n_trainings,
        precision=settings.precision,
        privacy=privacy_of(settings),
    )


def fit_step(
    prepared: Prepared,
    network: Autoencoder,
    settings: RunSettings,
    clock: Clock,
    *,
    kind: FeatureKind | None = None,
) -> DiagnosticModel:
    """Features, classifier, fine-tuning, calibration (calibrate), decisions (tune).

    `kind`: of the features, where the settings leave it to a choice made before.
    """
    clock.step("fit", "Fitting the classifier")
    labelled = prepared.load("train", "tune", "calibrate")
    if kind is None:
        assert settings.features != "auto", "choose first"
        kind = settings.features
    extract = partial(embed, network, kind=kind)
    head = fitted_head(prepared, labelled, extract, settings)
    head = knowing_looks(head, network, kind, labelled.part("train").pixels)
    model = DiagnosticModel(
        network,
        head,
        prepared.classes,
        kind,
        settings.flip,
        SetRule("marginal", (0.0,)),
        gate=gate_of(prepared, network, labelled, settings),
        policy=policy_of(prepared),
        covariates=prepared.covariates,
        decide_by=prepared.decide_by,
    )
    model = fine_tuned(model, labelled, prepared, settings, clock)
    seen = Viewed.of(labelled.part("tune"), model.extract, flip=settings.flip)
    model = decide_by(model, seen, prepared, settings)
    for note in notes_of(model.sets, model.risk):
        clock.note(note)
    return model


def fitted_head(
    prepared: Prepared, labelled: LabelledScans, extract: Extract, settings: RunSettings
) -> Head:
    """A head on features by `extract`: fitted on train and calibrated on calibrate."""
    seed = derive_seed(settings.seed, "head")
    most = MOST if settings.semi_supervised in GUESSING else MOST_FOR_SCALE
    return train_head(
        labelled.part("train"),
        labelled.part("calibrate"),
        extract,
        head_settings(settings, prepared.task),
        seed=seed,
        unlabelled=unlabelled_table(prepared, extract, seed=seed, most=most),
    )


def gate_of(
    prepared: Prepared, network: Autoencoder, scans: LabelledScans, settings: RunSettings
) -> AnomalyGate:
    """The gate by scans of train and calibrate; their labels are not looked at."""
    table, rows = prepared.table, prepared.split.rows("train")
    return fit_gate(
        network,
        scans.part("train"),
        scans.part("calibrate"),
        headers=Headers.of(table.modality[rows].tolist(), table.native_shape[rows].tolist()),
        rate=settings.gate_rate,
        seed=derive_seed(settings.seed, "gate"),
    )


def policy_of(prepared: Prepared) -> Policy:
    """How the files of the scans were read."""
    return Policy.from_json(prepared.collection.info.get("policy", {}))


def history_rows(history: Sequence[Epoch]) -> list[dict[str, float]]:
    """The history as the report wants it; losses that were not measured are left out."""
    return [
        {
            "epoch": float(number + 1),
            "loss": entry.loss,
            "images_per_second": entry.images_per_second,
            **({} if np.isnan(entry.tune_loss) else {"tune_loss": entry.tune_loss}),
        }
        for number, entry in enumerate(history)
    ]
