import doctest
from importlib import import_module

import pytest

MODULES = (
    *("quantiser", "code_prior", "vector_quantised"),
    *("masked", "masked_vit", "masking", "patches", "own_module", "monai_base"),
    *("base", "convolutional", "invariant", "family", "losses.reconstruction", "objectives.vicreg"),
    *("losses.exact", "losses.pixel", "losses.structural", "losses.frequency"),
    *("objectives.barlow", "objectives.contrastive", "objectives.hiding", "objectives.teacher"),
    *("objectives.latent_prediction", "objectives.rotation", "objectives.perceptual"),
    *("objectives.adversarial", "objectives.domain_adversarial", "objectives.deep_coral"),
    "objectives.mmd",
    *("variational", "adversarial", "vae_gan", "discriminator", "frozen", "gaussian", "spectral"),
    *("attention", "residual", "denoising", "sparse", "contractive"),
    *("engine.settings", "engine.health", "engine.beside", "losses.focus"),
)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_the_docstrings_run(name):
    found = doctest.testmod(import_module(f"latentdx.autoencoder.{name}"))
    assert found.attempted > 0
    assert found.failed == 0
