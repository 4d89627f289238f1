"""Which task is meant by labels and by what is said of them."""

from typing import get_args

import pytest

from latentdx.cli.options import TASKS
from latentdx.collection.tasks import TaskChoice, resolve_task
from latentdx.core.errors import StopError


def test_the_command_line_knows_every_task() -> None:
    assert get_args(TaskChoice) == TASKS


def test_one_label_a_scan_is_classes() -> None:
    assert resolve_task(["a", None, "", "b"]) == "classes"
    assert resolve_task(["1", "2"]) == "classes"


def test_several_labels_are_findings() -> None:
    assert resolve_task(["a", None, "a;b"]) == "multi-label"
    assert resolve_task(["a", "b"], "multi-label") == "multi-label"


@pytest.mark.parametrize("choice", ["classes", "ordinal", "regression"])
def test_several_labels_are_refused_where_one_is_meant(choice: TaskChoice) -> None:
    with pytest.raises(StopError, match="E_TASK"):
        resolve_task(["a;b", "a"], choice)
