"""The page of suggested scans: escaped, self-contained, in two dimensions and three."""

import doctest

import numpy as np
import pytest

from latentdx.report import suggest_page as module
from latentdx.report.suggest_page import Proposal, SuggestContent, suggest_page


@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 16, 16), (1, 8, 8, 8)])
def test_the_page_holds_pictures_reasons_and_guesses(shape):
    scans = [
        Proposal(1, "<b>.png", "drawn & by lot", None, None, np.zeros(shape, np.float32)),
        Proposal(2, "b.png", "hesitates", "yes", 0.514, np.ones(shape, np.float32)),
    ]
    page = suggest_page(SuggestContent("scans", "random", 1, scans))
    assert page.count("data:image/png;base64,") == 2
    assert "&lt;b&gt;.png" in page
    assert "drawn &amp; by lot" in page
    assert "yes, 51 %" in page
    assert "1 scan is labelled" in page
    assert "<script" not in page
    assert page == suggest_page(SuggestContent("scans", "random", 1, scans))


def test_the_example_of_the_page_of_suggestions_runs():
    assert doctest.testmod(module).failed == 0
