"""`look_at_privacy`: what a finished run's model and embeddings give away of its patients.

Four attacks are made on it, as somebody would who holds the model: who was learned from, which
scans are of one patient, what can be painted again, what drawn scans are copies of. The test part
is not opened: its scans serve nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from latentdx.autoencoder.base import GenerativeAutoencoder
from latentdx.bundle.load import load_bundle
from latentdx.bundle.save import AnyModel
from latentdx.bundle.schema import DESCRIPTION, read_description
from latentdx.collection.labelled import LabelledScans
from latentdx.collection.split import Part
from latentdx.core.errors import StopError
from latentdx.core.files import write_atomic, write_json
from latentdx.core.seeds import derive_seed, numpy_generator
from latentdx.diagnosis.model import DiagnosticModel
from latentdx.diagnosis.shadows import margins, shadow_heads
from latentdx.diagnosis.training_table import training_table
from latentdx.diagnosis.views import Viewed, score_views
from latentdx.features.extract import embed, reconstruct
from latentdx.features.invert import invert
from latentdx.metrics.bootstrap import bootstrap
from latentdx.metrics.membership import judge_attack, lira
from latentdx.metrics.reidentification import reidentify
from latentdx.report.evaluate import rebuilt_measures
from latentdx.report.privacy_page import privacy_page
from latentdx.study.folder import RunFolder
from latentdx.study.learn import head_settings
from latentdx.study.prepare import Prepared, open_prepared
from latentdx.study.reporter import Reporter, Silent
from latentdx.study.settings import RunSettings, read_toml, settings_from

RESULTS = ("privacy.json", "privacy.html")

_LEARNED: tuple[Part, ...] = ("train", "tune", "calibrate")
_MOST, _MOST_ROWS = 1000, 4000
_MOST_SEARCHED = 4000
_SAMPLES = 200


@dataclass(frozen=True)
class Looked:
    """A run as it is looked at; scans are of `_LEARNED` parts."""

    model: AnyModel
    prepared: Prepared
    settings: RunSettings
    scans: LabelledScans

    def generator(self, name: str) -> np.random.Generator:
        """Random numbers of one attack."""
        return numpy_generator(self.settings.seed, "privacy", name)


def look_at_privacy(
    run: Path, out: Path, *, shadows: int = 32, reporter: Reporter | None = None
) -> dict[str, Any]:
    """Attack a finished run; writes ``privacy.json`` and ``privacy.html`` to `out`.

    shadows: heads that are fitted for the attack on the classifier, an even number. Returns what
    is in the former. Raises `StopError`: ``E_RUN`` (no finished run, or scans that have changed
    since), ``E_OPTION``, ``E_CLASS_SIZE``; the errors of `load_bundle`.
    """
    reporter = reporter or Silent()
    if shadows < 4 or shadows % 2:
        fix = "give an even number from 4 on: heads are fitted in pairs"
        raise StopError("E_OPTION", f"{shadows} shadows", fix=fix)
    reporter.step("open", "Reading the run")
    looked = _opened(run)
    membership: dict[str, Any] = {}
    if isinstance(looked.model, DiagnosticModel):
        reporter.step("classifier", "Whom did the classifier learn from?")
        membership["classifier"] = _classifier(looked, shadows, reporter)
        membership["model"] = _released(looked, looked.model)
    reporter.step("autoencoder", "Whom did the autoencoder learn from?")
    membership["autoencoder"] = _autoencoder(looked)
    reporter.step("reidentify", "Which scans are of one patient?")
    same = _same_patient(looked)
    reporter.step("invert", "What can be painted from embeddings?")
    found: dict[str, Any] = {
        "run": run.resolve().name,
        "seed": looked.settings.seed,
        "membership": membership,
        "reidentification": same,
        "inversion": _inverted(looked),
        "samples": _samples(looked),
    }
    out.mkdir(parents=True, exist_ok=True)
    write_json(out / RESULTS[0], found)
    write_atomic(out / RESULTS[1], privacy_page(found))
    return found


def _opened(run: Path) -> Looked:
    folder = RunFolder(run)
    if not (folder.config.is_file() and (folder.bundle / DESCRIPTION).is_file()):
        fix = "give the folder of a finished `latentdx run`"
        raise StopError("E_RUN", "no finished run lies there", fix=fix, path=run)
    settings = settings_from(read_toml(folder.config), folder.config)
    told = read_description((folder.bundle / DESCRIPTION).read_text(), folder.bundle)
    prepared = open_prepared(folder.collection, settings)
    if prepared.split.hash != told.split_hash:
        fix = "run the same command again"
        raise StopError("E_RUN", "its scans have changed since", fix=fix, path=run)
    return Looked(load_bundle(folder.bundle), prepared, settings, _scans(prepared, *_LEARNED))


def _scans(prepared: Prepared, *parts: Part) -> LabelledScans:
    """Labelled scans of any task; of others than classes the labels are not looked at."""
    if prepared.task == "multi-label":
        return prepared.load_findings(*parts).scans
    if prepared.task == "regression":
        return prepared.load_values(*parts).scans
    return prepared.load(*parts)


def _drawn(scans: LabelledScans, most: int, generator: np.random.Generator) -> LabelledScans:
    """At most so many scans, patient after patient."""
    names, first = np.unique(scans.patients, return_inverse=True)
    order = np.argsort(generator.permutation(len(names))[first], kind="stable")[:most]
    return scans.take(np.sort(order))


def _classifier(looked: Looked, shadows: int, reporter: Reporter) -> dict[str, Any]:
    """LiRA on heads like the run's, of which each is attacked with the help of the others."""
    model = looked.model
    assert isinstance(model, DiagnosticModel)
    pool = _drawn(looked.scans, _MOST, looked.generator("pool"))
    settings = replace(
        head_settings(looked.settings, looked.prepared.task), fewest_copies=0, rows=_MOST_ROWS
    )
    seed = derive_seed(looked.settings.seed, "privacy")
    table = training_table(
        pool, lambda pixels: embed(model.encoder, pixels, model.kind), settings, seed=seed
    )
    made = shadow_heads(
        model.head,
        table,
        n_scans=len(pool),
        count=shadows,
        seed=seed,
        tell=lambda done, total: reporter.progress(done, total, "shadow models"),
    )
    attack = judge_attack(
        lira(made.confidences, made.members),
        made.members,
        pool.patients,
        generator=looked.generator("classifier"),
    )
    return {**attack.as_json(), "shadows": shadows, "n_scans": len(pool)}


def _released(looked: Looked, model: DiagnosticModel) -> dict[str, Any]:
    """The model as it is, fine-tuned copy and all: how sure it is of the right label."""
    scans = looked.scans
    views = Viewed.of(scans, model.extract, flip=model.flip).views
    scores = score_views(model.head, views)
    if model.head.ordered:
        scores = model.head.probabilities(scores).astype(np.float32)
    sure = margins(scores, scans.labels)
    return _judged(looked, sure, scans.parts == "train", scans.patients, "model")


def _autoencoder(looked: Looked) -> dict[str, Any]:
    """How well it rebuilds scans that it learned from, and others."""
    rebuilt = reconstruct(looked.model.encoder, looked.scans.pixels)
    axes = tuple(range(1, rebuilt.ndim))
    errors = ((rebuilt - looked.scans.pixels) ** 2).mean(axis=axes)
    is_member = looked.scans.parts == "train"
    scores = -np.log(errors + 1e-12)
    return _judged(looked, scores, is_member, looked.scans.patients, "autoencoder")


def _judged(
    looked: Looked,
    scores: NDArray[Any],
    members: NDArray[np.bool_],
    patients: NDArray[np.str_],
    name: str,
) -> dict[str, Any]:
    made = judge_attack(
        scores[None].astype(np.float64), members[None], patients, generator=looked.generator(name)
    )
    return made.as_json()


def _same_patient(looked: Looked) -> dict[str, Any]:
    """Of embeddings as the classifier reads them, and of plain pixels."""
    prepared, table = looked.prepared, looked.prepared.table
    rows = prepared.split.rows(*_LEARNED, "pretrain")
    known = rows[table.patient[rows] != ""]
    if len(known) > _MOST_SEARCHED:
        order = looked.generator("search").permutation(len(known))[:_MOST_SEARCHED]
        known = np.sort(known[order])
    if not len(known):
        return {"reason": "no patient is known"}
    pixels = prepared.collection.pixels(known)
    embeddings = embed(looked.model.encoder, pixels, _kind(looked.model))
    centred = embeddings - embeddings.mean(axis=0)
    scaled = centred / np.maximum(centred.std(axis=0), 1e-6)
    flat = pixels.reshape(len(pixels), -1)
    occasions = table.study[known].tolist()
    found: dict[str, Any] = {}
    for name, vectors in (("embeddings", scaled), ("pixels", flat - flat.mean(axis=0))):
        made = reidentify(
            vectors, table.patient[known], occasions, generator=looked.generator("reidentify")
        )
        if made is None:
            return {"reason": "no two patients have scans of two occasions"}
        found[name] = made.as_json()
    return found


def _kind(model: AnyModel) -> Any:
    return model.models[0].kind if not hasattr(model, "kind") else model.kind


def _inverted(looked: Looked) -> dict[str, Any]:
    """SSIM of what is painted of tune and calibrate: by the decoder, by regression, by nobody."""
    scans, encoder = looked.scans, looked.model.encoder
    known = _drawn(scans.part("train"), _MOST, looked.generator("invert"))
    asked = _drawn(scans.part("tune", "calibrate"), _MOST, looked.generator("asked"))
    kind = _kind(looked.model)
    rows, wanted = (embed(encoder, part.pixels, kind) for part in (known, asked))
    made = invert(rows, known.pixels, wanted)
    painted: Mapping[str, NDArray[np.float32]] = {
        "decoder": reconstruct(encoder, asked.pixels),
        "embeddings": made.painted,
        "mean scan": made.mean,
    }
    ssim = np.stack(
        [rebuilt_measures(asked.pixels, each)[:, 2] for each in painted.values()], axis=1
    )

    def statistic(weights: NDArray[Any]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = weights @ ssim / weights.sum(axis=1, keepdims=True)
        return found

    found = bootstrap(statistic, asked.patients, generator=looked.generator("ssim"))
    return {name: each.as_json() for name, each in zip(painted, found, strict=True)}


def _samples(looked: Looked) -> dict[str, Any] | None:
    """How near drawn scans lie to those learned from, beside how near held-out scans lie."""
    encoder = looked.model.encoder
    if not isinstance(encoder, GenerativeAutoencoder):
        return None
    generator = torch.Generator().manual_seed(derive_seed(looked.settings.seed, "samples"))
    with torch.inference_mode():
        drawn = encoder.sample(_SAMPLES, generator).float().numpy()
    known = looked.scans.part("train").pixels
    held = looked.scans.part("tune", "calibrate").pixels
    near, usual = _nearest(drawn, known), _nearest(held, known)
    closest = float(np.quantile(usual, 0.01))
    return {
        "n_samples": _SAMPLES,
        "nearest_median": float(np.median(near)),
        "held_out_median": float(np.median(usual)),
        "copies": float((near < 0.5 * closest).mean()),
    }


def _nearest(asked: NDArray[np.float32], known: NDArray[np.float32]) -> NDArray[np.float64]:
    """Root mean squared difference to the nearest known scan, (N,)."""
    one, other = (part.reshape(len(part), -1).astype(np.float64) for part in (asked, known))
    squared = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1) - 2 * one @ other.T
    found: NDArray[np.float64] = np.sqrt(np.maximum(squared.min(axis=1), 0) / one.shape[1])
    return found
