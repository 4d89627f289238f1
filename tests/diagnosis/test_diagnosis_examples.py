import doctest
from importlib import import_module

import pytest


@pytest.mark.parametrize(
    "name",
    [
        "abstain",
        "answers",
        "calibrate",
        "calibration_cumulative",
        "calibrations",
        "classifiers",
        "conformal",
        "conformal_values",
        "consistency",
        "estimator",
        "fine_tune_blocks",
        "fine_tune_loop",
        "fine_tuned",
        "folds",
        "independent",
        "label_losses",
        "loss_balanced_softmax",
        "loss_cross_entropy",
        "loss_focal",
        "loss_logit_adjusted",
        "machines_cumulative",
        "machines_mlp",
        "one_error",
        "probe",
        "regressors",
        "sampling",
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
