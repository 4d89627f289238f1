"""One phantom scan in memory: the patient's board is drawn once, then exposed scan by scan."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.phantom_anatomy import draw_chest
from latentdx.collection.phantom_canvas import Grid, Image
from latentdx.collection.phantom_distractors import draw_distractors
from latentdx.collection.phantom_lesions import draw_lesion
from latentdx.collection.phantom_patient import PhantomPatient
from latentdx.collection.phantom_scanner import SITES, develop, draw_exposure, project
from latentdx.core.seeds import numpy_generator

_LONG_SIDE_MM = 430.0
_IN_MASK = 0.1


@dataclass(frozen=True)
class Phantom:
    """One scan.

    Attributes
    ----------
    pixels: float32 (rows, columns) in 0..1 as shown, brighter = denser.
    mask: bool (rows, columns), where the lesion lies; all False in the healthy.
    spacing_mm: of a pixel.
    """

    pixels: Image
    mask: NDArray[np.bool_]
    spacing_mm: float

    @property
    def lesion_mm2(self) -> float:
        """The lesion's area."""
        return float(self.mask.sum()) * self.spacing_mm**2


@dataclass(frozen=True)
class _Board:
    healthy: Image
    added: Image | None
    extent: Image | None
    grid: Grid


def expose(
    patient: PhantomPatient, scan: int, *, seed: int, size: int, with_lesion: bool = True
) -> Phantom:
    """The patient's scan with this number, counted from 0; without the lesion, its healthy twin.

    The twin has the same anatomy, position, dose and noise.
    """
    board = _board(patient, seed, size)
    site = SITES[patient.site]
    exposure = draw_exposure(numpy_generator(seed, "phantom", patient.number, "exposure", scan))
    seen = board.healthy
    mask = np.zeros(site.shape(size), np.bool_)
    if with_lesion and board.added is not None and board.extent is not None:
        seen = seen + board.added
        mask = project(board.extent, board.grid, site=site, exposure=exposure, size=size) > _IN_MASK
    image = project(seen, board.grid, site=site, exposure=exposure, size=size)
    grain = numpy_generator(seed, "phantom", patient.number, "grain", scan)
    pixels = develop(image, site, exposure=exposure, rng=grain, marker=patient.markers[scan])
    return Phantom(pixels, mask, site.width_mm / size)


@functools.lru_cache(maxsize=4)
def _board(patient: PhantomPatient, seed: int, size: int) -> _Board:
    """Anatomy and lesion; kept, because a patient's scans follow each other."""
    grid = Grid(0.92 * _LONG_SIDE_MM / size)

    def named(step: str) -> np.random.Generator:
        return numpy_generator(seed, "phantom", patient.number, step)

    chest = draw_chest(patient, grid, rng=named("anatomy"))
    healthy = chest.image + draw_distractors(patient, chest, grid=grid, rng=named("distractors"))
    if patient.lesion is None:
        return _Board(healthy, None, None, grid)
    lesion = draw_lesion(patient.lesion, chest, grid=grid, rng=named("lesion"))
    return _Board(healthy, lesion.added, lesion.extent, grid)
