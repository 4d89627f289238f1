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


@pytest.mark.parametrize("choice", ["auto", "classes", "ordinal", "multi-label", "regression"])
def test_several_labels_are_refused(choice: TaskChoice) -> None:
    with pytest.raises(StopError, match="E_TASK"):
        resolve_task(["a;b", "a"], choice)
