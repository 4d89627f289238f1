"""The views of a study's training: by its scans' modality, or as told, and flipped as told."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from latentdx.collection.augment import GEOMETRIC, VIEWS
from latentdx.collection.augment_presets import PRESETS, STILL
from latentdx.core.errors import StopError
from latentdx.study.learn import fit_settings, training_modalities
from latentdx.study.looks import check_views
from latentdx.study.private import check_private
from latentdx.study.settings import settings_from


def views(codes: list[str] | None = None, **values: Any) -> Any:
    return fit_settings(settings_from({"source": "scans", **values}), codes or []).views


def test_scans_of_no_known_modality_keep_the_views_that_were_measured() -> None:
    assert views() == views(["", ""]) == views(["OT"]) == VIEWS


def test_the_scans_decide_unless_told_otherwise() -> None:
    assert views(["MR", "MR", "CT"]) == PRESETS["mr"]
    assert views(["MR"], modality="ct") == PRESETS["ct"]
    assert views(["MR"], modality="any") == VIEWS


@pytest.mark.parametrize("modality", ["auto", "ultrasound"])
def test_without_flips_no_view_is_mirrored(modality: str) -> None:
    found = views(["US"], modality=modality, flip=False)
    assert found == replace(PRESETS["ultrasound"], flip=0.0)


def test_a_modality_that_is_none_is_refused() -> None:
    with pytest.raises(StopError, match="modality: input should be 'auto', 'any'"):
        settings_from({"source": "scans", "modality": "CT"})


def test_held_out_scans_have_no_say() -> None:
    table = SimpleNamespace(modality=np.array(["CT", "MR", "MR", "MR", "CT"]))
    parts = {"train": 0, "test": 1, "tune": 2, "calibrate": 3, "pretrain": 4}

    def rows(*names: str) -> Any:
        return np.array([parts[name] for name in names])

    prepared: Any = SimpleNamespace(table=table, split=SimpleNamespace(rows=rows))
    assert training_modalities(prepared) == ["CT", "CT"]


def test_borrowed_looks_go_where_views_are_drawn_else_to_every_batch() -> None:
    settings = {"source": "scans", "views": ["style", "fourier"]}
    told = fit_settings(settings_from(settings), ["MR"])
    assert told.views == replace(PRESETS["mr"], fourier=0.5, style=1.0)
    assert told.augment is None
    for more, moved in (({}, STILL), ({"augment": True}, GEOMETRIC)):
        member = settings_from({**settings, "autoencoder": "convolutional", **more})
        assert fit_settings(member).augment == replace(moved, fourier=0.5, style=1.0)
        viewed = member.model_copy(update={"objectives": {"barlow": 1.0}})
        assert fit_settings(viewed).augment == (GEOMETRIC if more else None)


def test_views_of_nothing_and_with_privacy_are_refused() -> None:
    with pytest.raises(StopError, match=r"views.0: input should be 'fourier' or 'style'"):
        settings_from({"source": "scans", "views": ["blur"]})
    with pytest.raises(StopError, match=r"E_OPTION.*--views with --epochs 0"):
        check_views(settings_from({"source": "scans", "views": ["style"], "epochs": 0}))
    asked = {"source": "scans", "views": ["style"], "epsilon": 3.0}
    with pytest.raises(StopError, match=r"E_OPTION.*--views does not go with --epsilon"):
        check_private(settings_from({**asked, "autoencoder": "convolutional"}))
