"""Words that may stay: makers from a list, and descriptions cut to a vocabulary."""

from __future__ import annotations

import doctest
from importlib import import_module

import pytest
from dicom_files import KEY
from pydicom.datadict import keyword_dict

from latentdx.scans.profile_table import rule_of
from latentdx.scans.profile_terms import KEPT, MODALITIES, cleaned_words, vendor


def test_terms_are_of_known_attributes_that_the_table_lets_stay() -> None:
    for keyword, terms in KEPT.items():
        rule = rule_of(keyword_dict[keyword])
        assert rule is None or "patient" in rule.options, keyword
        assert terms
        assert all(len(term) <= 16 and term == term.strip() for term in terms)
    assert {"CR", "CT", "DX", "MG", "MR", "NM", "PT", "US", "XA"} <= MODALITIES


@pytest.mark.parametrize(
    ("text", "name"),
    [("GE MEDICAL SYSTEMS", "GE"), ("SIEMENS", "Siemens"), ("Philips Healthcare", "Philips"),
     ("TOSHIBA_MEC", "Canon"), ("FUJIFILM Corporation", "Fujifilm"), ("Agfa-Gevaert", "Agfa"),
     ("KODAK", "Carestream"), ("HOLOGIC, Inc.", "Hologic"), ("KONICA MINOLTA", "Konica Minolta"),
     ("UIH", "United Imaging"), ("Planmed Oy", "Planmed"), ("", None), (" \0", None)],
)  # fmt: skip
def test_makers(text: str, name: str | None) -> None:
    assert vendor(text, KEY) == name


def test_unknown_makers_are_told_apart_and_not_told() -> None:
    first, second = vendor("Doe's Clinic", KEY), vendor("Roe's Clinic", KEY)
    assert first is not None
    assert first == vendor("doe's  CLINIC", KEY) != second
    assert first != vendor("Doe's Clinic", b"j" * 32)
    assert cleaned_words("Doe 19600101 4711 chest PA 2") == "chest PA 2"


@pytest.mark.parametrize(
    "name",
    ["scans.burned_in", "scans.dates", "scans.deidentify", "scans.identity_map",
     "scans.profile_options", "scans.profile_streams", "scans.profile_table",
     "scans.profile_terms", "scans.profile_values", "scans.text_likeness", "collection.phi",
     "collection.phi_patterns", "collection.proof"],
)  # fmt: skip
def test_the_examples_in_the_docstrings_run(name: str) -> None:
    found = doctest.testmod(import_module(f"latentdx.{name}"))
    assert found.attempted > 0
    assert found.failed == 0
