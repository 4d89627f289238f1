"""Computing in 32 bits or in bfloat16: settled by a short measured trial, once for a machine."""

from __future__ import annotations

import copy
import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from latentdx.autoencoder.engine.settings import Precision
from latentdx.core.files import write_json
from latentdx.core.hashing import hash_json

_STEPS = 5
_FASTER = 1.1  # bfloat16 has to be worth its rounding
_CLOSE = 0.05
_WORTH_A_TRIAL = 60  # steps: for fewer the trial would cost more than it could save

Step = Callable[[nn.Module, bool], Tensor]


def uses_bf16(precision: Precision, device: torch.device) -> bool:
    """Whether training computes in bfloat16: asked for, or native to the processor or GPU.

    Without hardware for it (AVX512-BF16 or AMX; Ampere or later) bfloat16 is emulated and slow.
    """
    if precision != "auto":
        return precision == "bf16"
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capability = torch.backends.cpu.get_cpu_capability()
    return "AVX512" in capability and _has_native_bf16()


def settle(model: nn.Module, step: Step, *, steps: int, key: list[object]) -> bool:
    """Whether to train in bfloat16, where `precision` leaves it open.

    Where the hardware has it, copies of the model take a few steps in each precision; bfloat16 is
    taken where it is faster by a tenth and its loss within 5 %. The answer is kept for this machine
    and `key` (network, batch, ...), so that the same training is settled alike each time. Short
    trainings (`steps`) go by the hardware alone.
    """
    device = next(model.parameters()).device
    if not uses_bf16("auto", device):
        return False
    if steps < _WORTH_A_TRIAL:
        return True
    place = _kept(device, key)
    if (told := _read(place)) is not None:
        return told
    seconds, losses = _timed(model, step)
    close = abs(losses[True] - losses[False]) <= _CLOSE * abs(losses[False])
    chosen = close and seconds[False] > _FASTER * seconds[True]
    return _settled(place, chosen, seconds)


def _timed(model: nn.Module, step: Step) -> tuple[dict[bool, float], dict[bool, float]]:
    """In 32 bits and in bfloat16: the fastest of a few steps, the first left out; the last loss.

    They take turns: on a machine that is busy for a moment both are slowed alike.
    """
    trials = {bf16: copy.deepcopy(model) for bf16 in (False, True)}
    spent: dict[bool, list[float]] = {False: [], True: []}
    losses: dict[bool, float] = {}
    for _ in range(1 + _STEPS):
        for bf16, trial in trials.items():
            started = time.perf_counter()
            losses[bf16] = float(step(trial, bf16))
            spent[bf16].append(time.perf_counter() - started)
    return {bf16: min(each[1:]) for bf16, each in spent.items()}, losses


def _kept(device: torch.device, key: list[object]) -> Path:
    """The file in the user's cache for this hardware, this torch and this training."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor()
    capability = torch.backends.cpu.get_cpu_capability()
    facts = [name, capability, torch.get_num_threads(), torch.__version__, *key]
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "latentdx" / "precision" / f"{hash_json(facts)[:16]}.json"


def _read(path: Path) -> bool | None:
    try:
        return bool(json.loads(path.read_text())["bf16"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _settled(path: Path, chosen: bool, seconds: dict[bool, float]) -> bool:
    """Keep the answer, unless another process was first: then its answer stands.

    A cache that cannot be written is done without.
    """
    told = {"bf16": chosen, "seconds": {"fp32": seconds[False], "bf16": seconds[True]}}
    mine = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(mine, told)
        os.link(mine, path)
    except FileExistsError:
        first = _read(path)
        return chosen if first is None else first
    except OSError:
        return chosen
    finally:
        mine.unlink(missing_ok=True)
    return chosen


def _has_native_bf16() -> bool:
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, name, lambda: False)()) for name in checks)
