"""Made-up evaluations, as rich as real ones, for the tests of the report."""

from dataclasses import replace
from functools import cache

import numpy as np

from latentdx.metrics.summary import summarise
from latentdx.report.content import Examples, ReportContent

BINARY = ("benign", "malignant")
THREE = ("normal", "pneumonia", "effusion")
SEPARATION = {"pixels-pca-svm": 1.0, "hog-svm": 1.2, "untrained-encoder": 0.8, "metadata": 0.4}


def binary_content(**changes):
    return replace(content_of(BINARY), **changes)


def three_class_content(**changes):
    return replace(content_of(THREE), **changes)


@cache
def content_of(classes, *, n_scans=200, seed=11, side=64):
    generator = np.random.default_rng(seed)
    n_classes = len(classes)
    labels = np.arange(n_scans) % n_classes
    patients = np.arange(n_scans) * 3 // 4
    model = table(labels, 1.9, n_classes, generator)
    rivals = {name: table(labels, d, n_classes, generator) for name, d in SEPARATION.items()}
    rivals = {"majority": np.full((n_scans, n_classes), 1 / n_classes)} | rivals
    threshold = 0.42 if n_classes == 2 else None
    decisions = (model[:, 1] >= threshold).astype(int) if threshold else model.argmax(axis=1)

    def measured(probabilities, decided):
        found = summarise(
            labels, probabilities, decided, patients, generator=generator, n_resamples=200
        )
        return {name: estimate.as_json() for name, estimate in found.items()}

    shuffled = table(generator.permutation(labels), 0.1, n_classes, generator)
    metrics = {
        "test": measured(model, decisions),
        "baselines": {name: measured(p, p.argmax(axis=1)) for name, p in rivals.items()},
        "controls": {"shuffled-labels": measured(shuffled, shuffled.argmax(axis=1))},
        "subgroups": [
            {"column": "site", "value": site, "n_scans": 100, "n_patients": 75, "auroc": five(v)}
            for site, v in (("north", 0.921), ("south", 0.874))
        ],
        "abstention": {
            "target_coverage": 0.9,
            "coverage": five(0.915),
            "answered_fraction": five(0.83),
            "accuracy_when_answered": five(0.893),
        },
        "reconstruction": {
            "mse": five(0.00213, 0.0003), "psnr": five(27.4, 1.1), "ssim": five(0.871),
        },
        "seconds": {
            "ingest": 4.21, "audit": 0.6, "pretrain": 96.4, "extract": 3.3, "fit": 2.75,
            "evaluate": 21.9, "report": 3.1,
        },
        "warnings": ["the class 'malignant' has 19 patients in tune: the threshold is uncertain"],
    }  # fmt: skip
    return ReportContent(
        name="breast-ultrasound",
        classes=classes,
        verdict="Worth it here: on these scans the autoencoder's features rank patients better "
        "than every simpler method, and the intervals do not overlap.",
        metrics=metrics,
        audit={
            "valid": True,
            "findings": [
                finding("near-duplicate", "warning", 3, "3 pictures look nearly the same"),
                finding("imbalance", "info", 60, "the class 'malignant' has 60 of 400 scans"),
            ],
        },
        parts={
            "train": {classes[0]: (140, 96), classes[1]: (62, 41), "": (1240, 880)},
            "tune": {classes[0]: (40, 30), classes[1]: (25, 19)},
            "calibrate": {classes[0]: (41, 31), classes[1]: (22, 18)},
            "test": {name: (int((labels == k).sum()), 75) for k, name in enumerate(classes)},
        },
        n_quarantined=4,
        labels=labels,
        probabilities=model,
        decisions=decisions,
        threshold=threshold,
        rivals=rivals,
        map_points=generator.normal(size=(n_scans, 2)) + 1.6 * np.stack([labels, -labels], axis=1),
        map_labels=labels,
        examples=examples(labels[:12], model[:12], side, generator),
        history=[
            {"epoch": e, "loss": 0.02 + 0.2 * 0.8**e, "tune_loss": 0.025 + 0.2 * 0.82**e,
             "images_per_second": 900.0}
            for e in range(1, 25)
        ],
        settings={"seed": 0, "size": 64, "autoencoder": "convolutional", "latent_dim": 128},
        provenance={"latentdx": "0.1.0", "device": "cpu", "split": "9f2c" * 16},
    )  # fmt: skip


def table(labels, separation, n_classes, generator):
    """Probabilities (N, K) that know the labels as well as ``separation`` says."""
    scores = generator.normal(size=(len(labels), n_classes))
    scores[np.arange(len(labels)), labels] += separation
    odds = np.exp(scores)
    return odds / odds.sum(axis=1, keepdims=True)


def five(value, half=0.04):
    ends = {"low": round(value - half, 6), "high": round(value + half, 6)}
    return {"value": value, **ends, "n_scans": 200, "n_patients": 150}


def finding(code, severity, count, text):
    paths = [[f"site/{code}/{i}.png", f"site/{code}/{i}b.png"] for i in range(count)]
    return {
        "code": code,
        "severity": severity,
        "count": count,
        "text": text,
        "examples": paths if severity == "warning" else [],
    }


def examples(labels, probabilities, side, generator, channels=1):
    """Discs on speckle, and the same smoothed, (M, C, side, side)."""
    y, x = np.mgrid[:side, :side] / side - 0.5
    radius = 0.1 + 0.12 * labels[:, None, None] / max(1, labels.max(initial=1))
    disc = 1 / (1 + np.exp(40 * (np.hypot(x, y * 1.2)[None] - radius)))
    clean = (0.35 + 0.3 * np.cos(3 * y) - 0.3 * disc)[:, None].repeat(channels, axis=1)
    noisy = np.clip(clean + generator.normal(0, 0.06, clean.shape), 0, 1)
    return Examples(noisy.astype(np.float32), clean.astype(np.float32), labels, probabilities)


FEATURES = {
    "chosen": "multi-scale",
    "n_scans": 65,
    "n_patients": 49,
    "candidates": [
        {"features": "pooled", "log_loss": 0.52, "above_best": 0.081, "standard_error": 0.022},
        {"features": "multi-scale", "log_loss": 0.439, "above_best": 0.0, "standard_error": 0.0},
    ],
}
"""What ``--features auto`` tells."""
