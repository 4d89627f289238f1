"""Scans of the wrong kind: other body parts and modalities, and pictures that are none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.machine import data_folder
from latentdx.core.errors import InputError
from latentdx.scans.open import open_scans
from latentdx.scans.policy import Policy
from latentdx.scans.request import Request
from latentdx.scans.scan import Scan

Pixels = NDArray[np.float32]
COUNT = 200
FRAMES = 3

HELD_BACK = (
    "photographs", "digits", "hippocampus-mr", "stripes", "checkerboard", "smooth-fields", "frame",
)  # fmt: skip
"""Kinds by which nothing of the gate was chosen."""

ONLY_REPORTED = ("upside-down", "turned", "cropped", "blurred", "halves-swapped")
"""Of the right body part and modality, however strangely taken: not asked to be stopped."""


def request(size: int) -> Request:
    """How foreign files are read: as `predict` would."""
    return Request(size, 1, b"benchmark".ljust(32), Policy(burned_in="keep", gate=False))


def files(size: int) -> Iterator[tuple[str, Pixels]]:
    """Kinds that are files: MedNIST by class, DICOM samples by modality, the hippocampus set."""
    data, wanted = data_folder(), request(size)
    for folder in sorted((data / "mednist_64_subset").iterdir()):
        if folder.is_dir():
            yield f"mednist-{folder.name}", _stack(sorted(folder.iterdir())[:COUNT], wanted)
    by_modality: dict[str, list[Pixels]] = {}
    for scan in _scans(_dicom_files(data), wanted):
        by_modality.setdefault(scan.modality or "unstated", []).append(scan.pixels)
    mr = by_modality.pop("MR", [])
    yield "dicom-mr", np.stack(mr)
    yield "dicom-other", np.stack([item for items in by_modality.values() for item in items])
    yield (
        "hippocampus-mr",
        _slices(sorted((data / "mri_hippocampus_nifti" / "images").iterdir()), wanted),
    )


def made(scans: Pixels, generator: np.random.Generator) -> dict[str, Pixels]:
    """Kinds that are made, from right scans (N, 1, S, S) or from nothing."""
    kinds: dict[str, Callable[[Pixels, np.random.Generator], NDArray[np.floating]]] = {
        "inverted": lambda p, g: 1 - p,
        "gaussian-noise": lambda p, g: g.normal(0.5, 0.2, p.shape).clip(0, 1),
        "uniform-noise": lambda p, g: g.random(p.shape),
        "salt-and-pepper": _salted,
        "black-and-white-noise": lambda p, g: (g.random(p.shape) > 0.5).astype(np.float32),
        "blank": lambda p, g: g.normal(0, 0.02, p.shape).clip(0, 1),
        "constant": lambda p, g: np.ones_like(p) * g.random((len(p), 1, 1, 1)),
        "nearly-constant": lambda p, g: g.normal(0.5, 0.01, p.shape).clip(0, 1),
        "ramp": lambda p, g: _axes(p)[1] * g.uniform(0.5, 1, (len(p), 1, 1, 1)),
        "stripes": _stripes,
        "checkerboard": _checkerboard,
        "smooth-fields": _fields,
        "frame": _frame,
        "digits": _digits,
        "photographs": _photographs,
        "upside-down": lambda p, g: p[:, :, ::-1],
        "turned": lambda p, g: np.rot90(p, 1, (2, 3)),
        "cropped": lambda p, g: _resized(p[:, :, _middle(p), _middle(p)], p.shape[2]),
        "blurred": _blurred,
        "halves-swapped": lambda p, g: np.roll(p, p.shape[2] // 2, axis=(2, 3)),
    }
    return {
        name: np.ascontiguousarray(make(scans, generator), np.float32)
        for name, make in kinds.items()
    }


def _dicom_files(data: Path) -> list[Path]:
    """Of pydicom's wheel and of the data folder, every fourth slice of its series."""
    import pydicom.data

    samples = sorted(Path(pydicom.data.__file__).parent.rglob("*.dcm"))
    series = [path for path in sorted((data / "dicom").glob("*_series_*/*")) if path.is_file()]
    return [*samples, *series[::4], *sorted((data / "dicom" / "odd_and_broken").glob("*.dcm"))]


def _scans(paths: list[Path], wanted: Request) -> Iterator[Scan]:
    """Those that can be read and are not constant, three frames a file at most."""
    for path in paths:
        try:
            for scan in islice(open_scans([path], key=wanted.key, policy=wanted.policy), FRAMES):
                fitted = wanted.fit(scan)
                if float(np.ptp(fitted.pixels)) >= 0.02:
                    yield fitted
        except InputError:
            continue


def _stack(paths: list[Path], wanted: Request) -> Pixels:
    return np.stack([scan.pixels for scan in _scans(paths, wanted)])


def _slices(paths: list[Path], wanted: Request) -> Pixels:
    """The middle slice of each volume, padded to a square."""
    import nibabel

    found = []
    for path in [path for path in paths if path.name.endswith((".nii", ".nii.gz"))][:COUNT]:
        volume = np.asarray(nibabel.load(path).dataobj, np.float32)
        middle = volume[:, :, volume.shape[2] // 2]
        low, high = np.quantile(middle, [0.005, 0.995])
        pixels = ((middle - low) / max(high - low, 1e-6)).clip(0, 1)
        found.append(wanted.fit(Scan(pixels[None].astype(np.float32), pixels.shape)).pixels)
    return np.stack(found)


def _axes(scans: Pixels) -> NDArray[np.float64]:
    """Row and column (2, S, S) in 0..1."""
    return np.stack(np.mgrid[: scans.shape[2], : scans.shape[3]]) / (scans.shape[2] - 1)


def _middle(scans: Pixels) -> slice:
    quarter = scans.shape[2] // 4
    return slice(quarter, -quarter)


def _salted(scans: Pixels, generator: np.random.Generator) -> NDArray[np.floating]:
    drawn = generator.random(scans.shape)
    return np.where(drawn < 0.15, 0, np.where(drawn > 0.85, 1, scans))


def _stripes(scans: Pixels, generator: np.random.Generator) -> NDArray[np.floating]:
    row, column = _axes(scans)
    turn = generator.uniform(0, np.pi, (len(scans), 1, 1, 1))
    wide = generator.uniform(10, 60, turn.shape)
    return 0.5 + 0.5 * np.sin(wide * (np.cos(turn) * row + np.sin(turn) * column))


def _checkerboard(scans: Pixels, generator: np.random.Generator) -> NDArray[np.floating]:
    row, column = _axes(scans)
    fields = generator.integers(2, 9, (len(scans), 1, 1, 1))
    return (np.floor(row * fields) + np.floor(column * fields)) % 2


def _fields(scans: Pixels, generator: np.random.Generator) -> NDArray[np.floating]:
    coarse = generator.random((len(scans), 1, 5, 5)).astype(np.float32)
    return _resized(coarse, scans.shape[2]).clip(0, 1)


def _frame(scans: Pixels, generator: np.random.Generator) -> NDArray[np.floating]:
    row, column = _axes(scans)
    wide = generator.uniform(0.05, 0.2, (len(scans), 1, 1, 1))
    inside = np.minimum(np.minimum(row, 1 - row), np.minimum(column, 1 - column)) > wide
    return np.where(inside, 0.0, 1.0)


def _digits(scans: Pixels, generator: np.random.Generator) -> NDArray[np.floating]:
    from sklearn.datasets import load_digits

    images = load_digits().images[: len(scans), None].astype(np.float32) / 16
    return _resized(images, scans.shape[2])


def _photographs(scans: Pixels, generator: np.random.Generator) -> NDArray[np.floating]:
    """Squares at drawn places of scikit-learn's two photographs, in grey."""
    from sklearn.datasets import load_sample_images

    found = []
    for number in range(len(scans)):
        grey = load_sample_images().images[number % 2].mean(axis=2).astype(np.float32) / 255
        side = int(generator.integers(100, 400))
        top, left = (int(generator.integers(0, n - side)) for n in grey.shape)
        piece = grey[None, None, top : top + side, left : left + side]
        found.append(_resized(piece, scans.shape[2]))
    return np.concatenate(found)


def _resized(scans: Pixels, size: int) -> Pixels:
    """To squares of a side, with smoothing where they shrink."""
    tensor = torch.from_numpy(np.ascontiguousarray(scans))
    resize = torch.nn.functional.interpolate
    return resize(tensor, size=(size, size), mode="bilinear", antialias=True).numpy()


def _blurred(scans: Pixels, generator: np.random.Generator) -> Pixels:
    return torch.nn.functional.avg_pool2d(torch.from_numpy(scans), 9, 1, 4).numpy()
