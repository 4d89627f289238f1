"""Before anything is learned: are there domains to align, in every training of the run?"""

from __future__ import annotations

from latentdx.study.domains import asked, domains_of
from latentdx.study.folds import splits_of
from latentdx.study.left_out import splits_without
from latentdx.study.prepare import Prepared
from latentdx.study.settings import RunSettings


def check_domains(prepared: Prepared, settings: RunSettings) -> None:
    """Raise the errors of `domains_of`, of the run's own split and of any fold or place."""
    if not asked(settings):
        return
    splits = [prepared.split]
    splits += [] if settings.folds is None else splits_of(prepared, settings)
    if settings.leave_out is not None:
        splits += [split for _, split in splits_without(prepared, settings)]
    for split in splits:
        domains_of(prepared.table, split, settings)
