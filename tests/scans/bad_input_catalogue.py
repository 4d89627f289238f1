"""The catalogue of bad inputs: every row refused with exactly one code."""

from __future__ import annotations

from bad_input_arrays import array_rows
from bad_input_dicom import dicom_rows
from bad_input_dicom_odd import odd_dicom
from bad_input_pictures import odd_pictures, picture_rows
from bad_input_row import Odd, Row
from bad_input_volumes import odd_volumes, volume_rows

BAD: tuple[Row, ...] = (*array_rows(), *dicom_rows(), *picture_rows(), *volume_rows())
ODD: tuple[Odd, ...] = (*odd_dicom(), *odd_pictures(), *odd_volumes())
QUICK: tuple[Row, ...] = tuple(
    row for row in BAD if row.reader == "scan" and not row.policy and not row.hostile
)
"""Those that are refused at once where 2-D images are read."""
