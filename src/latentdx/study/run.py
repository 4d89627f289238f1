"""`run_study`: the whole job, from scans to a report and a model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from latentdx.autoencoder.engine.checkpoint import CheckpointFolder
from latentdx.autoencoder.family import OWN
from latentdx.core.files import write_json
from latentdx.core.hashing import hash_file
from latentdx.study.ancestor import begun
from latentdx.study.ancestor_check import check_ancestor, with_ancestor
from latentdx.study.by_task import WORK, check_work
from latentdx.study.decide import check_pool
from latentdx.study.domains import check_asked
from latentdx.study.domains_check import check_domains
from latentdx.study.folder import FOLD_PREDICTIONS, LEFT_OUT_PREDICTIONS, RunFolder
from latentdx.study.key import study_key
from latentdx.study.learn import pretrain_step
from latentdx.study.looks import check_views
from latentdx.study.own_masks import check_masks
from latentdx.study.prepare import Prepared, prepare
from latentdx.study.private import check_private
from latentdx.study.reporter import Clock, Reporter, Silent
from latentdx.study.settings import RunSettings


@dataclass(frozen=True)
class StudyResult:
    """Where the results lie, and the most important of them.

    Attributes
    ----------
    folder: of the run.
    metrics: the content of ``metrics.json``.
    verdict: one sentence on whether the autoencoder was worth it.
    bundle: SHA-256 (hex) of the bundle.
    n_quarantined: files set aside.
    """

    folder: Path
    metrics: dict[str, Any]
    verdict: str
    bundle: str
    n_quarantined: int


def run_study(
    settings: RunSettings,
    out: str | Path,
    reporter: Reporter | None = None,
    *,
    autoencoder: nn.Module | None = None,
) -> StudyResult:
    """Ingest, audit, split, pretrain, fit, evaluate, report: everything into the folder `out`.

    `autoencoder`: a module of your own with `encode` and `decode` (see `OwnModule`) instead of one
    by name; `load_bundle` needs it again, and ``config.toml`` says ``own``.

    Called again after an interruption it goes on where it stopped, and ends with the same
    numbers; called again after the end it returns what is there. Raises `StopError`,
    `LeakageError` (test shares patients or pictures with other parts, or with what it begins
    from) and `IntegrityError`.

    Examples
    --------
    >>> settings = RunSettings(source="scans", labels="labels.csv")
    >>> result = run_study(settings, "run")  # doctest: +SKIP
    >>> result.metrics["test"]["auroc"]["value"]  # doctest: +SKIP
    0.93
    """
    if autoencoder is not None:
        settings = settings.model_copy(update={"autoencoder": OWN})
    settings = begun(settings, autoencoder)
    folder, clock = RunFolder(Path(out)), Clock(reporter or Silent())
    check_pool(settings)  # before the scans are read: it takes none to know
    check_private(settings)
    check_asked(settings)
    check_views(settings)
    folder.check(settings)
    prepared = prepare(settings, folder, clock, partial(_check, autoencoder))
    prepared = with_ancestor(prepared, settings, folder, autoencoder)
    key = study_key(settings, prepared, autoencoder)
    if (finished := _finished(folder, key, settings)) is not None:
        clock.stop()
        clock.note("nothing has changed: these are the results of the finished run")
        return _result(folder, finished, prepared)
    work = WORK[prepared.task]
    pretrained = pretrain_step(prepared, settings, folder, clock, autoencoder=autoencoder)
    done = work.finish(prepared, pretrained, settings, folder, clock)
    clock.stop()
    facts = {"verdict": done.verdict, "bundle": done.bundle, "seconds": dict(clock.seconds)}
    _finish(folder, key, facts, done.metrics)
    return _result(folder, facts, prepared)


def _check(autoencoder: nn.Module | None, prepared: Prepared, settings: RunSettings) -> None:
    check_work(prepared, settings)
    check_ancestor(prepared, settings, autoencoder)
    check_domains(prepared, settings)
    check_masks(prepared, settings)


def _finish(folder: RunFolder, key: str, facts: dict[str, Any], metrics: dict[str, Any]) -> None:
    write_json(folder.root / "metrics.json", {**metrics, "seconds": facts["seconds"]})
    sums = hash_file(folder.root / "metrics.json")
    write_json(folder.done, {"key": key, "metrics": sums, **facts})
    CheckpointFolder(folder.checkpoints).clear()


def _finished(folder: RunFolder, key: str, settings: RunSettings) -> dict[str, Any] | None:
    """What the finished run noted, unless something it was made from has changed."""
    names = ["metrics.json", "report.html", "predictions.csv"]
    names += [FOLD_PREDICTIONS] if settings.folds else []
    names += [LEFT_OUT_PREDICTIONS] if settings.leave_out else []
    files = [folder.root / name for name in names]
    if not folder.done.exists() or not all(path.exists() for path in (*files, folder.bundle)):
        return None
    done: dict[str, Any] = json.loads(folder.done.read_text())
    same = done["key"] == key and done["metrics"] == hash_file(folder.root / "metrics.json")
    return done if same else None


def _result(folder: RunFolder, facts: dict[str, Any], prepared: Prepared) -> StudyResult:
    return StudyResult(
        folder.root,
        json.loads((folder.root / "metrics.json").read_text()),
        facts["verdict"],
        facts["bundle"],
        prepared.n_quarantined,
    )
