"""Where a network from scratch is refused, before anything is trained."""

from __future__ import annotations

import pytest

from latentdx.collection.tasks import TaskName
from latentdx.core.errors import StopError
from latentdx.study.scratch import check_scratch
from latentdx.study.settings import settings_from

ASKED = settings_from({"source": "s", "cnn_from_scratch": True})


@pytest.mark.parametrize("task", ["ordinal", "multi-label", "regression"])
def test_it_is_for_classes(task: TaskName) -> None:
    with pytest.raises(StopError, match="learns classes") as caught:
        check_scratch(ASKED, task)
    assert caught.value.code == "E_OPTION"
    check_scratch(settings_from({"source": "s"}), task)


def test_classes_are_learned() -> None:
    check_scratch(ASKED, "classes")
