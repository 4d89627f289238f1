"""How scans are made to look while the autoencoder learns: views, moves, looks of other scans."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from latentdx.autoencoder.objectives.names import VIEWED
from latentdx.collection.augment import GEOMETRIC, AugmentSettings
from latentdx.collection.augment_presets import BORROWED, STILL, Borrowed, borrowing, views_for
from latentdx.core.errors import StopError
from latentdx.study.settings import RunSettings

_DRAWS_VIEWS = ("invariant",)


def check_views(settings: RunSettings) -> None:
    """Before scans are read, raise `StopError` ``E_OPTION`` for views that nothing would see."""
    if settings.views and settings.epochs == 0:
        found = "--views with --epochs 0: nothing is trained"
        raise StopError("E_OPTION", found, fix="leave one of them out")


def views_of(settings: RunSettings, modalities: Iterable[str]) -> AugmentSettings:
    """The views that features must not tell apart; `modalities` as in `views_for`."""
    found = views_for(settings.modality, modalities, laterality=not settings.flip)
    return borrowing(found, settings.views)


def augmentation_of(settings: RunSettings) -> AugmentSettings | None:
    """What every batch goes through before the loss, or None: mild moves, where asked for.

    And looks of other scans, where what is trained draws no views that could borrow them.
    """
    moves = GEOMETRIC if settings.flip else replace(GEOMETRIC, flip=0.0)
    if not settings.augment:
        moves = STILL
    found = moves if draws_views(settings) else borrowing(moves, settings.views)
    return None if found == STILL else found


def draws_views(settings: RunSettings) -> bool:
    """Whether the member or an objective learns from two views of each scan."""
    return settings.autoencoder in _DRAWS_VIEWS or bool(set(VIEWED) & set(settings.objectives))


def looks_told(settings: RunSettings) -> dict[Borrowed, float]:
    """For metrics and encoders: the largest share that is borrowed, by kind."""
    return {name: BORROWED[name] for name in settings.views}
