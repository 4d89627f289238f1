"""Who a phantom patient is: class, site, age, sex, number of scans; nothing is drawn yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from latentdx.core.seeds import numpy_generator

LesionKind = Literal["nodule", "consolidation", "reticular", "effusion"]
LESION_KINDS: tuple[LesionKind, ...] = get_args(LesionKind)

N_SITES = 3

# Additive recurrence with the powers of the root of r**4 = r + 1 (M. Roberts, 2018): any first
# patients hold the classes, labels and sites in nearly the asked proportions.
_ROOT = 1.2207440846057596
_KIND_SHARES = (0.2, 0.3, 0.25, 0.25)
_SHARE_WITH_MARKER = 0.25
_MARKER_BY_CLASS = {False: 0.04, True: 0.92}


@dataclass(frozen=True)
class PhantomPatient:
    """One patient of a cohort; `number` counts from 0 and is all that is needed to draw them.

    `site` is 0, 1 or 2; `lesion` the kind of the disease, None in the healthy; `markers` says for
    each scan whether a laterality marker is burned in.
    """

    number: int
    labelled: bool
    lesion: LesionKind | None
    site: int
    sex: Literal["F", "M"]
    age: int
    view: Literal["PA", "AP"]
    markers: tuple[bool, ...]

    @property
    def name(self) -> str:
        """The patient's number as it is written in files."""
        return f"{self.number + 1:04d}"

    @property
    def n_scans(self) -> int:
        """1 to 3."""
        return len(self.markers)

    @property
    def label(self) -> str:
        """``healthy`` or ``diseased``."""
        return "diseased" if self.lesion else "healthy"


def describe_patient(
    number: int,
    seed: int,
    *,
    labelled_fraction: float,
    diseased_fraction: float,
    shortcut: bool = False,
) -> PhantomPatient:
    """The patient with this number: it depends on the seed and the number alone."""
    spread = [_even(number, seed, power) for power in (1, 2, 3)]
    rng = numpy_generator(seed, "phantom", number, "patient")
    diseased = spread[1] < diseased_fraction
    kind = LESION_KINDS[int(rng.choice(len(LESION_KINDS), p=_KIND_SHARES))]
    sex: Literal["F", "M"] = "F" if rng.random() < 0.5 else "M"
    # In life the ill are somewhat older: a metadata baseline finds that and no more.
    age = round(float(rng.normal(54 + 4 * diseased, 15)))
    view: Literal["PA", "AP"] = "AP" if rng.random() < 0.2 else "PA"
    n_scans = int(rng.choice([1, 2, 3], p=[0.3, 0.4, 0.3]))
    share = _MARKER_BY_CLASS[diseased] if shortcut else _SHARE_WITH_MARKER
    return PhantomPatient(
        number,
        labelled=spread[0] < labelled_fraction,
        lesion=kind if diseased else None,
        site=int(N_SITES * spread[2]),
        sex=sex,
        age=min(max(age, 19), 88),
        view=view,
        markers=tuple(bool(rng.random() < share) for _ in range(n_scans)),
    )


def _even(number: int, seed: int, power: int) -> float:
    """The number's term in a sequence that fills 0..1 evenly, shifted by the seed."""
    start = float(numpy_generator(seed, "phantom", "sequence", power).random())
    return (start + (number + 1) * _ROOT**-power) % 1.0
