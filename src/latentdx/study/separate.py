"""The steps of a study one by one, for those who want them apart: pretrain, fit."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from latentdx.autoencoder.engine.processes import is_first
from latentdx.autoencoder.family import OWN
from latentdx.bundle.save import save_bundle
from latentdx.collection.audit import Audit
from latentdx.collection.near_kept import kept_near_duplicates
from latentdx.collection.split import Split
from latentdx.collection.store import Collection
from latentdx.core.errors import StopError
from latentdx.report.alignment import alignment_words, focus_words, looks_words
from latentdx.report.ancestry import ancestry_sentences
from latentdx.report.card import markdown
from latentdx.report.federated import federated_sentences
from latentdx.report.seen_card import seen_section
from latentdx.study.ancestor import begun
from latentdx.study.by_task import WORK
from latentdx.study.domains import check_asked
from latentdx.study.encoder import Descent, load_encoder, save_encoder
from latentdx.study.folder import RunFolder
from latentdx.study.learn import pretrain_step
from latentdx.study.looks import check_views
from latentdx.study.prepare import Prepared, open_prepared
from latentdx.study.private import check_private
from latentdx.study.reporter import Clock, Reporter
from latentdx.study.seen import knowing_seen
from latentdx.study.settings import RunSettings
from latentdx.study.training_report import TrainingMade, write_training_report

_CARD = """---
library_name: latentdx
tags: [medical-imaging, autoencoder, few-labels]
---

# latentdx model

Not evaluated yet: run `latentdx evaluate` before believing any of its answers. For research use;
not a medical device.
"""


def pretrain_collection(
    collection: Path,
    to: Path,
    settings: RunSettings,
    reporter: Reporter,
    *,
    resume: bool = False,
    autoencoder: nn.Module | None = None,
) -> tuple[int, float | None]:
    """Train an encoder and save it at `to`; returns the number of scans and the last loss.

    There is no loss where it was taken over as it is (``epochs`` 0).

    ``report.html`` beside it shows how it learned.

    `autoencoder`: a module of your own instead of one by name; `fit_collection` needs it again.

    Raises `StopError` ``E_DESTINATION`` where `to` holds a training and `resume` was not asked
    for, and the errors of `begun`, `split_by_patient` and `pretrain_step`.
    """
    if to.exists() and not to.is_dir():
        raise StopError("E_DESTINATION", "is a file", fix="choose another --to", path=to)
    if is_first() and to.exists() and any(to.iterdir()) and not resume:
        fix = "give --resume to go on, or choose another --to"
        raise StopError("E_DESTINATION", "something lies there", fix=fix, path=to)
    if autoencoder is not None:
        settings = settings.model_copy(update={"autoencoder": OWN})
    settings = begun(settings, autoencoder)
    check_private(settings)
    check_asked(settings)
    check_views(settings)
    prepared = open_for_training(collection, settings)
    folder, clock = RunFolder(to), Clock(reporter)
    done = pretrain_step(prepared, settings, folder, clock, autoencoder=autoencoder)
    if is_first():
        found = (done.network, prepared.table, prepared.split, done.descent)
        save_encoder(to, *found, told=done.told)
        clock.step("report", "Writing the report of the training")
        write_training_report(to, TrainingMade(settings, prepared, done), clock.seconds)
    return done.n_scans, done.history[-1].loss if done.history else None


def fit_collection(
    collection: Path,
    encoder: Path,
    to: Path,
    settings: RunSettings,
    reporter: Reporter,
    *,
    autoencoder: nn.Module | None = None,
) -> str:
    """Fit a model on an encoder's features and save its bundle; returns the bundle's SHA-256.

    Raises `LeakageError` ``E_SEEN`` where the encoder has seen held-out pictures or patients, and
    `StopError` ``E_SIZE`` where it was made for scans of another size.
    """
    found = load_encoder(encoder, autoencoder)
    prepared = open_for_training(collection, settings)
    found.require_unseen(prepared.table, prepared.split)
    if found.network.shape != prepared.collection.shape:
        text = f"the encoder reads scans of shape {found.network.shape}, the collection "
        text += f"holds {prepared.collection.shape}"
        raise StopError("E_SIZE", text, fix="ingest again with --size", path=collection)
    work = WORK[prepared.task]
    work.check(prepared, settings)
    clock = Clock(reporter)
    begun_from = ancestry_sentences(found.ancestry)
    begun_from += federated_sentences(found.federated)
    if found.alignment:
        begun_from.append(f"Domains aligned by {alignment_words(found.alignment)}.")
    if found.looks:
        begun_from.append(f"Views borrowed {looks_words(found.looks)}.")
    if found.focus:
        begun_from.append(f"Its focus went by masks: {focus_words(found.focus)}.")
    for sentence in begun_from:
        clock.note(sentence)
    model = work.fit(prepared, found.network, settings, clock)
    model = knowing_seen(model, prepared, Descent(found.seen, found.seen_all))
    counts = {name: count for name, count in prepared.split.counts().items() if count}
    return save_bundle(
        model,
        to,
        card=_CARD
        + "".join(f"\n{markdown(each)}\n" for each in begun_from)
        + f"\n{seen_section(model.seen)}\n",
        split_hash=prepared.split.hash,
        counts=counts,
        seed=settings.seed,
    )


def open_for_training(path: Path, settings: RunSettings) -> Prepared:
    """Split by patient where there are labels; else every scan is for pretraining."""
    collection = Collection.open(path)
    table = collection.metadata()
    if table.is_labelled.any():
        return open_prepared(path, settings)
    near = kept_near_duplicates(collection, table).joining(len(table))
    split = Split.for_pretraining(table, near)
    return Prepared(collection, table, split, (), Audit(()))
