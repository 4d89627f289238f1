import doctest
from importlib import import_module

import pytest


@pytest.mark.parametrize(
    "name",
    [
        "abstain",
        "calibrate",
        "calibrations",
        "classifiers",
        "conformal",
        "estimator",
        "folds",
        "independent",
        "machines_mlp",
        "one_error",
        "probe",
        "scan_groups",
        "set_rule",
        "task",
        "threshold",
    ],
)
def test_the_examples_in_the_docstrings_run(name):
    found = doctest.testmod(import_module(f"latentdx.diagnosis.{name}"))
    assert found.attempted > 0
    assert found.failed == 0
