"""`Headers`: what headers said of the scans that a model learned from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

_SAYS_NOTHING = frozenset({"", "OT", "SC", "DOC"})
_PROJECTION = frozenset({"CR", "DX", "DR", "RG"})
_MOSTLY = 0.9
_WIDER = 2.0


@dataclass(frozen=True)
class Headers:
    """Modalities and proportions that occurred in training.

    Attributes
    ----------
    modalities: DICOM's codes, sorted; empty where the scans did not say, and then none is refused.
    proportions: the least and the greatest height / width of images in their files; empty for
        volumes and where it is not known.
    """

    modalities: tuple[str, ...] = ()
    proportions: tuple[float, ...] = ()

    @classmethod
    def of(cls, modalities: Iterable[str], shapes: Iterable[Sequence[int]]) -> Headers:
        """From the modality and the shape in the file of every training scan.

        Where fewer than nine in ten say their modality, the others' could be any: none is kept.

        Examples
        --------
        >>> Headers.of(["CR", "DX"], [(100, 80), (90, 90)])
        Headers(modalities=('CR', 'DX'), proportions=(1.0, 1.25))
        """
        told = [code.upper() for code in modalities]
        stated = [code for code in told if code not in _SAYS_NOTHING]
        known = tuple(sorted(set(stated))) if len(stated) >= _MOSTLY * len(told) else ()
        ratios = [shape[0] / shape[1] for shape in shapes if len(shape) == 2 and min(shape) > 0]
        return cls(known, (min(ratios), max(ratios)) if ratios else ())

    def knows_modality(self, modality: str) -> bool:
        """False only for a stated modality that is not among stated ones.

        The codes of projection radiographs (CR, DX, DR, RG) are one modality.

        Examples
        --------
        >>> headers = Headers(("CR",))
        >>> [headers.knows_modality(code) for code in ("DX", "MR", "", "OT")]
        [True, False, True, True]
        """
        code = modality.upper()
        if not self.modalities or code in _SAYS_NOTHING or code in self.modalities:
            return True
        return code in _PROJECTION and not _PROJECTION.isdisjoint(self.modalities)

    def knows_proportion(self, shape: Sequence[int]) -> bool:
        """False for an image over twice as long or as wide, for its other side, as any known one.

        Examples
        --------
        >>> headers = Headers(proportions=(0.8, 1.25))
        >>> [headers.knows_proportion(shape) for shape in ((512, 512), (512, 100), (9, 9, 9))]
        [True, False, True]
        """
        if not self.proportions or len(shape) != 2 or min(shape) <= 0:
            return True
        low, high = self.proportions
        return bool(low / _WIDER <= np.float64(shape[0] / shape[1]) <= high * _WIDER)
