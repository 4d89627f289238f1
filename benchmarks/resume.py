"""``python -m benchmarks.resume``: trainings killed at random moments end with the same weights.

A training of a small network is killed (SIGKILL) again and again and taken up again, until it is
finished: at random moments, and at random places inside the writing of a checkpoint (half of the
file written, before and after fsync, before and after the rename, while an old one is removed).
The SHA-256 of the final weights has to be that of a training that was never stopped.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.machine import RESULTS, TRIALS, provenance, write
from latentdx.autoencoder.engine.checkpoint import Checkpoint, CheckpointFolder
from latentdx.autoencoder.engine.fit import Pool, pretrain
from latentdx.autoencoder.engine.settings import FitSettings
from latentdx.autoencoder.family import build
from latentdx.core import files
from latentdx.core.errors import IntegrityError

_SETTINGS = FitSettings(epochs=4, batch_size=16, checkpoint_seconds=0.0, ema=0.9)
_PLACES = ("before", "half written", "not synced", "not renamed", "renamed", "old removed")
_OPTIONS = {
    "convolutional": {"objectives": {"vicreg": 0.04}},
    "invariant": {},
    "variational": {"schedule": "schedule-free"},
    "vector-quantised": {},
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Kill as often as asked for; 1 where weights differed or a checkpoint could not be read."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.resume", description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--inside", type=int, default=25, help="of them inside a checkpoint")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--quick", action="store_true", help="a few kills: does it work?")
    asked = parser.parse_args(arguments)
    kills, inside = (6, 3) if asked.quick else (asked.kills, asked.inside)
    draw = random.Random(asked.seed)
    plans = ["inside"] * inside + ["moment"] * (kills - inside)
    draw.shuffle(plans)
    found = Campaign(draw).run(plans)
    out = asked.out or (TRIALS if asked.quick else RESULTS) / "resume.json"
    write(out, {"quick": asked.quick, **provenance(), "seed": asked.seed, **found})
    print({name: value for name, value in found.items() if name != "places"})
    return 0 if found["trainings_equal"] == found["trainings"] and not found["unreadable"] else 1


class Campaign:
    """Trainings in forked children, one after another, killed by plan."""

    def __init__(self, draw: random.Random) -> None:
        self.draw = draw
        self.equal = self.trainings = self.unreadable = self.done = 0
        self.places: dict[str, int] = {}

    def run(self, plans: list[str]) -> dict[str, Any]:
        """Go on until every kill of `plans` has been made."""
        names = list(_OPTIONS)
        whole: dict[str, tuple[str, float]] = {}
        while self.done < len(plans):
            name = names[self.trainings % len(names)]
            if name not in whole:
                whole[name] = self._whole(name)
            self._killed_training(name, whole[name], plans)
            told = f"{self.done}/{len(plans)} kills, {self.equal}/{self.trainings} trainings equal"
            print(told, flush=True)
        return {
            "kills": self.done,
            "inside_a_checkpoint": sum(self.places.values()),
            "places": dict(sorted(self.places.items())),
            "trainings": self.trainings,
            "trainings_equal": self.equal,
            "unreadable": self.unreadable,
            "sha256": {name: digest for name, (digest, _) in whole.items()},
        }

    def _whole(self, name: str) -> tuple[str, float]:
        with tempfile.TemporaryDirectory() as folder:
            started = time.monotonic()
            status = _child(lambda: train(name, Path(folder)))
            if status:
                raise SystemExit(f"{name} failed without being killed")
            return (Path(folder) / "sha256").read_text(), time.monotonic() - started

    def _killed_training(self, name: str, whole: tuple[str, float], plans: list[str]) -> None:
        digest, seconds = whole
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for _ in range(12):  # kills of one training, at most
                if self.done >= len(plans) or self._once(name, root, plans[self.done], seconds):
                    break
            if not (root / "sha256").exists():
                _child(lambda: train(name, root))
            self.trainings += 1
            same = (root / "sha256").exists() and (root / "sha256").read_text() == digest
            self.equal += same

    def _once(self, name: str, root: Path, plan: str, seconds: float) -> bool:
        """Start, kill; True where the training was finished before it was killed."""
        if plan == "inside":
            place, number = self.draw.choice(_PLACES), self.draw.randrange(1, 8)
            killed = _child(lambda: _killed_inside(place, number, name, root))
        else:
            place = ""
            killed = _child(lambda: train(name, root), after=self.draw.uniform(0.02, seconds))
        if not killed:
            return True
        self.done += 1
        if place:
            self.places[place] = self.places.get(place, 0) + 1
        self.unreadable += not self._readable(root)
        return False

    def _readable(self, root: Path) -> bool:
        """Every checkpoint that a reader can see is whole."""
        try:
            for path in root.glob("checkpoints/step-*.safetensors"):
                Checkpoint.load(path)
        except IntegrityError:
            return False
        return True


def train(name: str, root: Path) -> None:
    """Train, resuming what is there, and write the hash of the final weights."""
    torch.set_num_threads(1)
    pixels = np.random.default_rng(0).random((96, 1, 16, 16)).astype(np.float32)
    network = build(name, {"channels": 1, "size": 16, "widths": (8, 16)})
    network.fit_normalisation(torch.from_numpy(pixels))
    settings = FitSettings(**{**_SETTINGS.__dict__, **_OPTIONS[name]})
    pretrain(network, Pool(pixels[:80], pixels[80:]), settings, seed=0,
             checkpoints=root / "checkpoints")  # fmt: skip
    digest = hashlib.sha256()
    for key, held in sorted(network.state_dict().items()):
        digest.update(key.encode() + held.numpy().tobytes())
    files.write_atomic(root / "sha256", digest.hexdigest())


def _killed_inside(place: str, number: int, name: str, root: Path) -> None:
    Deadly(place, number).lie_in_wait()
    train(name, root)


def _child(work: Callable[[], Any], *, after: float | None = None) -> int:
    """Run in a forked child; kill it `after` seconds. Returns 0 where it ended by itself, well."""
    sys.stdout.flush()
    process = os.fork()
    if not process:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    if after is not None:
        time.sleep(after)
        os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    if os.WIFEXITED(status) and os.WEXITSTATUS(status):
        raise SystemExit("a child failed by itself")
    return status


class Deadly:
    """Lets this process kill itself at `place` of the writing of its checkpoint `number`."""

    def __init__(self, place: str, number: int) -> None:
        self.place, self.number, self.count = place, number, 0
        self.save, self.fsync = CheckpointFolder.save, os.fsync
        self.replace, self.unlink = Path.replace, Path.unlink

    def lie_in_wait(self) -> None:
        """Stand between the engine and the file system; only a child does this."""
        CheckpointFolder.save = lambda *given: self._save(*given)  # type: ignore[method-assign]
        os.fsync = self._fsync  # type: ignore[assignment]
        Path.replace = lambda *given: self._replace(*given)  # type: ignore[assignment,method-assign]
        Path.unlink = lambda *given, **more: self._unlink(*given, **more)  # type: ignore[method-assign]

    def _at(self, place: str) -> None:
        if self.count == self.number and self.place == place:
            os.kill(os.getpid(), signal.SIGKILL)

    def _save(self, folder: CheckpointFolder, checkpoint: Checkpoint, step: int) -> None:
        self.count += 1
        self._at("before")
        self.save(folder, checkpoint, step)

    def _fsync(self, descriptor: int) -> None:
        if self.count == self.number and self.place == "half written":
            os.truncate(descriptor, os.fstat(descriptor).st_size // 2)
            self._at("half written")
        self._at("not synced")
        self.fsync(descriptor)

    def _replace(self, path: Path, target: Path) -> Path:
        self._at("not renamed")
        found = self.replace(path, target)
        self._at("renamed")
        return found

    def _unlink(self, path: Path, missing_ok: bool = False) -> None:
        self.unlink(path, missing_ok=missing_ok)
        if path.name.startswith("step-"):
            self._at("old removed")


if __name__ == "__main__":
    sys.exit(main())
