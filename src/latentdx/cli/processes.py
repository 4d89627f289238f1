"""The same command in several processes, which train together."""

from __future__ import annotations

import os
import sys

from latentdx.core.processors import processors

_OPTION = "--processes"


def run_in_processes(count: int) -> int:
    """Start this command line `count` times, as ``torchrun`` would; returns the exit code.

    On a cluster ``torchrun`` itself starts them on every node:
    ``torchrun --nnodes 2 --nproc-per-node 4 -m latentdx pretrain ...``
    """
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, processors() // count)))
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=count,
        run_id="latentdx",
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
    )
    try:
        elastic_launch(config, sys.executable)("-m", "latentdx", *_without_option(sys.argv[1:]))
    except ChildFailedError as error:
        return max(1, error.get_first_failure()[1].exitcode)
    return 0


def _without_option(words: list[str]) -> list[str]:
    """The words of a command line but for ``--processes N``.

    >>> _without_option(["pretrain", "c", "--processes", "2", "--to", "e"])
    ['pretrain', 'c', '--to', 'e']
    """
    kept, skip = [], False
    for word in words:
        if skip:
            skip = False
        elif word == _OPTION:
            skip = True
        elif not word.startswith(f"{_OPTION}="):
            kept.append(word)
    return kept
