import doctest
from importlib import import_module

import pytest

MODULES = (
    "estimate",
    "intervals",
    "ranks",
    "operating",
    "recalibration",
    "net_benefit",
    "further",
    "discrimination",
    "decisions",
    "calibration",
    "bootstrap",
    "crossed",
    "folds",
    "delong",
    "grades",
    "permutation",
    "summary",
    "values",
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_the_docstrings_run(name):
    found = doctest.testmod(import_module(f"latentdx.metrics.{name}"))
    assert found.attempted > 0
    assert found.failed == 0
