import json
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from latentdx.metrics.estimate import Estimate


def test_json_has_the_five_fields_as_plain_numbers():
    found = Estimate(np.float64(0.5), np.float64(0.25), None, 10, 4).as_json()
    assert json.loads(json.dumps(found, allow_nan=False)) == {
        "value": 0.5,
        "low": 0.25,
        "high": None,
        "n_scans": 10,
        "n_patients": 4,
    }
    assert type(found["value"]) is float


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_what_json_cannot_say_becomes_none(odd):
    found = Estimate(odd, odd, odd, 0, 0).as_json()
    assert [found[name] for name in ("value", "low", "high")] == [None] * 3


def test_an_estimate_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        Estimate(1.0, 1.0, 1.0, 1, 1).value = 2.0
