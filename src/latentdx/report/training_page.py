"""`training_page`: how an autoencoder learned, as one HTML file that asks nothing of any network.

The page is left beside an encoder. It needs no labels, and tells nothing of a diagnosis: whether
the loss fell, whether the latent is alive, and what reconstructions look like.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from latentdx.autoencoder.engine.checkpoint import Epoch
from latentdx.autoencoder.engine.health import health_notes
from latentdx.report import figures
from latentdx.report.card import count, number
from latentdx.report.evaluate import rebuilt_measures
from latentdx.report.page import spell
from latentdx.report.pictures import brightest, triple
from latentdx.report.template import template

PICTURES_SHOWN = 8
MEASURES = {
    "mse": "Mean squared error, 0 is best",
    "psnr": "Peak signal to noise (PSNR), dB",
    "ssim": "Structural similarity (SSIM), 1 is best",
}
HEALTH = {
    "latent_rank": "Effective rank of the latent",
    "feature_rank": "Effective rank of the deepest layer's features",
    "dead_units": "Share of the latent's units that do not vary",
    "active_units": "Share of the latent's units that are used",
    "codebook_use": "Share of the codebook that is used",
    "perplexity": "Perplexity of the codebook",
}


@dataclass(frozen=True)
class TrainingContent:
    """What the page of a training shows.

    Attributes
    ----------
    name: of the source, without its folder; autoencoder: by name.
    history: the epochs, in order.
    n_scans, n_tune: scans learned from, and scans on which the best epoch was chosen.
    held_out: whether the scans shown are of the tune part; else they were learned from.
    pixels, reconstructions: float32 (M, C, *spatial) in 0..1, to be measured; the first are shown.
    seconds: of this training, or of its last piece where it was interrupted; None if not known.
    settings, provenance: name -> value.
    begun: what is said of the weights that it began from, a sentence each.
    """

    name: str
    autoencoder: str
    history: Sequence[Epoch]
    n_scans: int
    n_tune: int
    held_out: bool
    pixels: NDArray[np.float32]
    reconstructions: NDArray[np.float32]
    seconds: float | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)
    begun: Sequence[str] = ()


def training_page(content: TrainingContent) -> str:
    """The whole page, self-contained: styles, figures and pictures lie within; it runs no script.

    The same content gives the same text. Names are escaped.
    """
    full = brightest(content.pixels, content.reconstructions)
    shown = zip(content.pixels, content.reconstructions, strict=True)
    pictures = [triple(scan, rebuilt, full) for scan, rebuilt in list(shown)[:PICTURES_SHOWN]]
    text = template("training.html.j2", number=number, count=count, spell=spell).render(
        content=content,
        figures={name: Markup(svg) for name, svg in _figures(content.history).items()},
        facts=_facts(content),
        findings=health_notes(content.history),
        health=_health(content.history),
        measures=_measures(content),
        pictures=pictures,
        brightest=full,
        are_volumes=content.pixels.ndim > 4,
    )
    return text.encode("utf-8", "replace").decode("utf-8")


def _figures(history: Sequence[Epoch]) -> dict[str, str]:
    rows = [
        {"epoch": number, "loss": epoch.loss, "tune_loss": epoch.tune_loss}
        for number, epoch in enumerate(history, 1)
    ]
    terms = [{"epoch": number, **epoch.terms} for number, epoch in enumerate(history, 1)]
    names = {name: name for epoch in history for name in epoch.terms}
    return {
        "training": figures.training(rows),
        "terms": figures.training(terms, names) if len(names) > 1 else "",
    }


def _facts(content: TrainingContent) -> list[tuple[str, str, str]]:
    """Title, value, and a word on it."""
    history = content.history
    best = min(range(len(history)), key=lambda index: history[index].judged, default=None)
    speeds = [epoch.images_per_second for epoch in history if epoch.images_per_second > 0]
    judged_by = "on the tune scans" if _is_judged(history) else "on the scans it learned from"
    facts = [
        ("Scans learned from", count(content.n_scans), f"{count(content.n_tune)} kept to judge by"),
        ("Passes over them", count(len(history)), ""),
    ]
    if best is not None:
        note = f"the best, {judged_by}: its weights are the encoder's"
        facts.append(("Loss", number(history[best].judged), f"after pass {best + 1}, {note}"))
    if speeds:
        facts.append(("Speed", f"{float(np.median(speeds)):,.0f}", "scans a second, median pass"))
    if content.seconds is not None:
        facts.append(("Time", spell(content.seconds), "since it was started or went on"))
    return facts


def _is_judged(history: Sequence[Epoch]) -> bool:
    return any(not math.isnan(epoch.tune_loss) for epoch in history)


def _health(history: Sequence[Epoch]) -> list[tuple[str, str, str]]:
    """Each measure when it was first and last taken."""
    measured = [epoch.health for epoch in history if epoch.health]
    names = dict.fromkeys(name for found in measured for name in found)
    rows = []
    for name in names:
        values = [found[name] for found in measured if name in found]
        title = HEALTH.get(name, name.replace("_", " "))
        rows.append((title, number(values[0]), number(values[-1])))
    return rows


def _measures(content: TrainingContent) -> list[tuple[str, str]]:
    """The mean of each measure of reconstruction over the scans that were kept for it."""
    if not len(content.pixels):
        return []
    means = rebuilt_measures(content.pixels, content.reconstructions).mean(axis=0)
    return [
        (title, number(float(mean))) for title, mean in zip(MEASURES.values(), means, strict=True)
    ]
