"""`ScanRow`s from decoded scans: what the file tells, and what is declared of it."""

from __future__ import annotations

from dataclasses import replace

from latentdx.collection.plan import Planned
from latentdx.collection.table import ScanRow
from latentdx.scans.own_mask import packed
from latentdx.scans.scan import Scan

DECLARED = (
    *("patient", "study", "site", "label", "given_part", "pretrain_only"),
    *("covariates", "declared"),
)


def declare(row: ScanRow, planned: Planned) -> ScanRow:
    """The row with all that is said of it outside its file; the file tells the rest."""
    return replace(
        row,
        patient=planned.patient or row.patient,
        study=planned.study or row.study,
        site=planned.site or row.site,
        label=planned.label,
        given_part=planned.given_part,
        pretrain_only=planned.pretrain_only,
        covariates={**row.covariates, **planned.covariates},
        declared=planned.declared,
    )


def row_path(planned: Planned, scan: Scan) -> str:
    """The entry's path, and which frame, page or slice of it."""
    return f"{planned.path}#{scan.frame}" if scan.frame else planned.path


def make_row(identity: str, planned: Planned, scan: Scan) -> ScanRow:
    """The row of one decoded scan."""
    row = ScanRow(
        identity,
        row_path(planned, scan),
        scan.pixels,
        scan.content_hash,
        source=planned.source,
        patient=scan.patient,
        study=scan.study,
        series=scan.series,
        site=scan.site,
        modality=scan.modality,
        covariates=scan.covariates,
        conversions=scan.conversions,
        warnings=scan.warnings,
        native_shape=scan.native_shape,
        spacing_mm=scan.spacing_mm,
        orientation=scan.orientation,
        acquired=scan.acquired,
        stamp=planned.stamp,
        file_hash=scan.file_hash,
        present=scan.present,
        mask=packed(scan.mask),
    )
    return declare(row, planned)
