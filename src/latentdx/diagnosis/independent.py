"""One scan a patient: what a bound for independent scans may count."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from latentdx.core.seeds import numpy_generator
from latentdx.metrics.bootstrap import patient_groups


def one_a_patient(patients: Sequence[str] | NDArray[np.str_], *, seed: int) -> NDArray[np.int64]:
    """Rows (ascending) of one scan of each patient, drawn.

    Examples
    --------
    >>> len(one_a_patient(["a", "a", "b"], seed=0))
    2
    """
    groups = patient_groups(patients)
    order = numpy_generator(seed, "one a patient").permutation(len(groups))
    _, first = np.unique(groups[order], return_index=True)
    return np.sort(order[first])
