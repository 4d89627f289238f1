import doctest
from importlib import import_module

import pytest

MODULES = (
    "latentdx.features.adapt",
    "latentdx.features.adapt_batch_norm",
    "latentdx.features.adapt_combat",
    "latentdx.features.adapt_coral",
    "latentdx.features.adapt_histogram",
    "latentdx.features.adapt_standardise",
    "latentdx.features.adapt_subspace",
    "latentdx.features.adapt_transport",
    "latentdx.features.arrays",
    "latentdx.features.covariate_values",
    "latentdx.features.covariates",
    "latentdx.features.extract",
    "latentdx.features.label_probe",
    "latentdx.features.moments",
    "latentdx.features.pixels",
    "latentdx.features.probe_columns",
    "latentdx.features.probe_marks",
    "latentdx.features.probe_pixels",
    "latentdx.features.scales",
    "latentdx.features.second_order",
    "latentdx.features.table",
    "latentdx.features.transformer",
    "latentdx.features.whiten",
    "latentdx.collection.augment",
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_the_docstrings_run(name):
    found = doctest.testmod(import_module(name))
    assert found.attempted > 0
    assert found.failed == 0
