"""What only a fine-tuned network can do is refused where none is; views follow the scans."""

from __future__ import annotations

import doctest
from typing import Any

import pytest

from latentdx.core.errors import StopError
from latentdx.study import gains
from latentdx.study.fine_tuning import check_fine_tuning, fine_tune_settings
from latentdx.study.settings import settings_from


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"semi_supervised": "consistency"}, "--semi-supervised consistency"),
        ({"loss": "focal"}, "--loss focal"),
        ({"class_weights": "none"}, "--class-weights none"),
        ({"sampling": "balanced"}, "--sampling balanced"),
    ],
)
def test_without_fine_tuning_it_is_refused_by_name(values: dict[str, Any], named: str) -> None:
    with pytest.raises(StopError, match="--fine-tune last") as caught:
        check_fine_tuning(settings_from({"source": "s", **values}), "classes", "none")
    assert caught.value.code == "E_OPTION"
    assert named in caught.value.found
    tuned = settings_from({"source": "s", "fine_tune": "last", **values})
    check_fine_tuning(tuned, "classes", "last")
    with pytest.raises(StopError, match="learns classes"):
        check_fine_tuning(tuned, "ordinal", "last")


def test_covariates_do_not_go_with_it() -> None:
    values = {"source": "s", "fine_tune": "last", "covariates": ("age",)}
    with pytest.raises(StopError, match="covariates") as caught:
        check_fine_tuning(settings_from(values), "classes", "last")
    assert caught.value.code == "E_OPTION"


def test_other_settings_go_without_it() -> None:
    for way in ("none", "spread", "pseudo"):
        asked = settings_from({"source": "s", "semi_supervised": way})
        check_fine_tuning(asked, "ordinal", "none")


def test_an_unknown_loss_is_refused_with_the_settings() -> None:
    with pytest.raises(StopError) as caught:
        settings_from({"source": "s", "loss": "hinge", "fine_tune": "last"})
    assert caught.value.code in ("E_CONFIG", "E_OPTION")
    assert "hinge" in caught.value.found


def test_settings_go_on_to_the_training() -> None:
    settings = settings_from(
        {
            **{"source": "s", "fine_tune": "all", "loss": "logit-adjusted=0.5", "flip": False},
            **{"sampling": "square-root", "semi_supervised": "consistency"},
        }
    )
    found = fine_tune_settings(settings, "all", 40)
    assert (found.which, found.sampling, found.consistency) == ("all", "square-root", 1.0)
    assert found.loss.words == "logit-adjusted=0.5"
    assert (found.flip, found.views().flip) == (False, 0.0)
    assert (found.choose, found.fewest_views) == (True, 256)


def test_unasked_for_the_length_is_fixed_and_few_scans_are_shown_often() -> None:
    settings = settings_from({"source": "s"})
    found = [fine_tune_settings(settings, "all", count) for count in (5, 60, 1000)]
    assert [each.fewest_views for each in found] == [256, 480, 1024]
    assert not any(each.choose for each in found)


def test_the_examples_of_what_a_part_adds_run() -> None:
    assert doctest.testmod(gains).failed == 0
