"""``python -m benchmarks.training``: how fast the classic recipe trains, here and by peers.

The same network on the same scans: the engine; a bare hand-written loop of the same steps (the
engine's overhead); plain PyTorch as tutorials write it; pythae's trainer; the Keras sample.
Each round lets all take turns, so that a busy machine slows them alike; medians of ratios within
rounds are told. The share of the machine's peak is of a bfloat16 matrix product measured in the
same rounds. Peers are found by PYTHAE (a folder for PYTHONPATH) and KERAS_PYTHON (an interpreter
that has TensorFlow); without them they are left out, and the file says so.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.machine import RESULTS, ROOT, TRIALS, data_folder, provenance, write
from benchmarks.peers.torch_plain import Decoder, Encoder
from benchmarks.peers.torch_plain import speeds as plain_speeds
from latentdx.autoencoder.blocks import batch_laid_out
from latentdx.autoencoder.engine.fit import Pool, pretrain
from latentdx.autoencoder.engine.optimizer import rate_at
from latentdx.autoencoder.engine.precision import uses_bf16
from latentdx.autoencoder.engine.processes import best_device
from latentdx.autoencoder.engine.settings import FitSettings
from latentdx.autoencoder.engine.watch import Watch
from latentdx.autoencoder.family import build

BATCH = 128
Pixels = NDArray[np.float32]


def engine(pixels: Pixels, epochs: int) -> float:
    """Images a second of `pretrain`, from its first epoch's end to its last's."""
    ends: list[float] = []
    watch = Watch(epoch=lambda *_: ends.append(time.perf_counter()))
    settings = FitSettings(epochs=epochs, batch_size=BATCH, weight_decay=0.0)
    pretrain(_network(pixels), Pool(pixels, pixels[:0]), settings, seed=0, watch=watch)
    n_seen = (epochs - 1) * (len(pixels) // BATCH) * BATCH
    return n_seen / (ends[-1] - ends[0])


def bare(pixels: Pixels, epochs: int) -> float:
    """The same steps in a loop written for this alone: no progress, health, checkpoint, names."""
    network, device = _network(pixels), best_device()
    network.to(device).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.0)
    held = torch.from_numpy(pixels).to(device)
    bf16, settings = uses_bf16("auto", device), FitSettings()
    n_batches = len(pixels) // BATCH
    generator = torch.Generator().manual_seed(0)
    for epoch in range(epochs):
        if epoch == 1:
            began = time.perf_counter()
        order = torch.randperm(len(held), generator=generator)
        for number in range(n_batches):
            rate = rate_at(epoch * n_batches + number, epochs * n_batches, settings)
            for group in optimizer.param_groups:
                group["lr"] = 1e-3 * rate
            batch = batch_laid_out(held[order[number * BATCH : (number + 1) * BATCH]])
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16):
                loss = network.losses(batch, generator)["reconstruction"]
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return (epochs - 1) * n_batches * BATCH / (time.perf_counter() - began)


def plain(pixels: Pixels, epochs: int) -> float:
    """Plain PyTorch: fp32, NCHW, DataLoader."""
    return median(plain_speeds(pixels, BATCH, epochs)[1:])


def pythae(pixels: Pixels, epochs: int) -> float | None:
    """pythae's trainer."""
    folder = os.environ.get("PYTHAE", str(ROOT / "build" / "peers" / "pythae"))
    environment = {**os.environ, "PYTHONPATH": f"{folder}:{ROOT}"}
    return _by_script([sys.executable, "-m", "benchmarks.peers.pythae_classic"], pixels, epochs,
                      environment)  # fmt: skip


def keras(pixels: Pixels, epochs: int) -> float | None:
    """The Keras sample; its scans are padded to a multiple of 8."""
    python = os.environ.get("KERAS_PYTHON", str(ROOT / "build/peers/tf/bin/python"))
    script = str(ROOT / "benchmarks" / "peers" / "keras_classic.py")
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    return _by_script([python, script], pixels, epochs, environment)


WAYS: dict[str, Callable[[Pixels, int], float | None]] = {
    "latentdx": engine,
    "bare loop": bare,
    "plain PyTorch": plain,
    "pythae": pythae,
    "Keras on TensorFlow": keras,
}


def matmul_peak(dtype: torch.dtype, seconds: float = 1.0) -> float:
    """GFLOP/s of the best of several square matrix products."""
    device, best = best_device(), 0.0
    for side in (1024, 2048, 4096):
        first, second = (torch.randn(side, side).to(device, dtype) for _ in range(2))
        first @ second
        began, count = time.perf_counter(), 0
        while time.perf_counter() - began < seconds / 3:
            first @ second
            count += 1
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = max(best, 2 * side**3 * count / (time.perf_counter() - began) / 1e9)
    return best


def flops_an_image(pixels: Pixels) -> float:
    """Of one training step of the recipe as it is written, counted by PyTorch, an image."""
    side = pixels.shape[-1]
    network = torch.nn.Sequential(Encoder(side), Decoder(side))
    batch = torch.from_numpy(pixels[:8])
    counter = FlopCounterMode(display=False)
    with counter:
        torch.nn.functional.mse_loss(network(batch), batch).backward()
    return counter.get_total_flops() / len(batch)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure all ways in turn, print and write the ratios."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--only", nargs="*", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--quick", action="store_true", help="one short round: does it work?")
    asked = parser.parse_args(arguments)
    rounds, epochs = (1, 2) if asked.quick else (asked.rounds, asked.epochs)
    pixels = _scans()[: 512 if asked.quick else None]
    flops = flops_an_image(pixels)
    made = {"quick": asked.quick, **provenance(), "threads": torch.get_num_threads()}
    told = []
    for number in range(rounds):
        peak = matmul_peak(torch.bfloat16)
        found: dict[str, Any] = {name: WAYS[name](pixels, epochs) for name in asked.only}
        told.append({**found, "bf16 matmul GFLOP/s": peak})
        print(number + 1, {k: v and round(v) for k, v in told[-1].items()}, flush=True)
    results = _summary(told, flops)
    print(json.dumps(results, indent=1))
    out = asked.out or (TRIALS if asked.quick else RESULTS) / "training.json"
    write(out, {**made, "scans": list(pixels.shape), "batch": BATCH, "rounds": told, **results})
    return 0


def _summary(rounds: list[dict[str, Any]], flops: float) -> dict[str, Any]:
    def ratio(first: str, second: str) -> float | None:
        pairs = [(r.get(first), r.get(second)) for r in rounds]
        known = [a / b for a, b in pairs if a and b]
        return round(median(known), 3) if known else None

    peak = "bf16 matmul GFLOP/s"
    return {
        "latentdx_over": {name: ratio("latentdx", name) for name in WAYS if name != "latentdx"},
        "flops_an_image": flops,
        "share_of_bf16_peak": round(
            median(r["latentdx"] * flops / 1e9 / r[peak] for r in rounds if r.get("latentdx")), 3
        ),
    }


def _network(pixels: Pixels) -> Any:
    return build("convolutional", {"channels": 1, "size": list(pixels.shape[2:])})


def _scans() -> Pixels:
    path = data_folder() / "medmnist" / "pneumoniamnist.npz"
    if path.exists():
        with np.load(path) as arrays:
            return (arrays["train_images"][:, None] / np.float32(255)).astype(np.float32)
    return np.random.default_rng(0).random((4708, 1, 28, 28)).astype(np.float32)


def _by_script(
    command: list[str], pixels: Pixels, epochs: int, environment: dict[str, str]
) -> float | None:
    """Images a second told by a peer's script; None where the peer is not here."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scans.npy"
        np.save(path, pixels)
        try:
            done = subprocess.run(
                [*command, str(path), str(BATCH), str(epochs)],
                capture_output=True, text=True, check=False, env=environment, cwd=ROOT,
            )  # fmt: skip
        except FileNotFoundError:
            return None
    if done.returncode:
        print(done.stderr[-500:], file=sys.stderr)
        return None
    return float(median(json.loads(done.stdout.splitlines()[-1])["images_per_second"]))


if __name__ == "__main__":
    sys.exit(main())
