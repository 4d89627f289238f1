"""Why a scan is not evaluated, as a code and words for people."""

from __future__ import annotations

from collections.abc import Mapping

from latentdx.diagnosis.gate_evidence import Measure
from latentdx.diagnosis.gate_header import Headers
from latentdx.scans.scan import Scan

_LEAST_CONTRAST = 0.02

_UNLIKE: Mapping[Measure, str] = {
    "features": "what the encoder sees in it is unlike the scans that the model learned from",
    "latent": "what lies where in it is unlike the scans that the model learned from",
    "rebuilt": "the autoencoder rebuilds it unlike the scans that the model learned from",
    "brightness": "its brightness is unlike that of the scans that the model learned from",
    "layout": "where it is bright and dark is unlike the scans that the model learned from",
}


def why_not_evaluated(scan: Scan, headers: Headers, measure: Measure | None) -> tuple[str, str]:
    """(code, text), or two empty strings where a scan may be evaluated.

    `measure`: which the gate stopped it by, None where it did not. A constant scan has nothing
    to measure, so that comes first; then what its header says.

    Examples
    --------
    >>> import numpy as np
    >>> scan = Scan(np.eye(8, dtype=np.float32)[None], (8, 8), modality="MR")
    >>> why_not_evaluated(scan, Headers(("CR", "DX")), "features")[0]
    'A_MODALITY'
    """
    if float(scan.pixels.max() - scan.pixels.min()) < _LEAST_CONTRAST:
        return "A_CONSTANT", "the image is constant: there is nothing to see"
    if not headers.knows_modality(scan.modality):
        known = ", ".join(headers.modalities)
        return "A_MODALITY", f"its modality is {scan.modality}, the model knows {known}"
    if not headers.knows_proportion(scan.native_shape):
        height, width = scan.native_shape
        text = f"{height} x {width} is far longer than any scan that the model learned from"
        return "A_PROPORTION", text
    return ("", "") if measure is None else ("A_FOREIGN", _UNLIKE[measure])
