"""The pool of a training: the same scans, order, values and weights from memory and from disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from latentdx.autoencoder.engine.data import ArraySource, StreamSource, as_source
from latentdx.autoencoder.engine.fit import Pool, pretrain
from latentdx.autoencoder.engine.settings import FitSettings
from latentdx.autoencoder.family import build
from latentdx.collection.split import Split
from latentdx.collection.store import Collection
from latentdx.collection.table import ScanRow
from latentdx.study import pool as pool_module
from latentdx.study.pool import free_bytes, training_pool

SIDES = {2: (16, 16), 3: (8, 8, 8)}
PARTS = ["train", "pretrain", "tune", "test", "train", "calibrate", "excluded", "train"]


def stored(path: Path, *, dims: int = 2, levels: int = 255, backwards: bool = False) -> Collection:
    """48 scans of `levels` grey levels; with `backwards` the rows lie the other way round."""
    rng = np.random.default_rng(0)
    rows = [
        ScanRow(
            f"{number:016x}",
            f"{number}.png",
            (rng.integers(0, levels + 1, (1, *SIDES[dims])) / levels).astype(np.float32),
            f"{number:064x}",
            label="ab"[number % 2],
            native_shape=SIDES[dims],
        )
        for number in range(48)
    ]
    collection = Collection.create(path, SIDES[dims][0], 1, dims=dims)
    collection.append(rows[::-1] if backwards else rows)
    return collection


def split_of(collection: Collection) -> Split:
    """Parts in turns by the scan's own number."""
    table = collection.metadata()
    parts = np.array([PARTS[int(name, 16) % len(PARTS)] for name in table.scan_id.tolist()])
    return Split(parts, Split.hash_of(table, parts))


def streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "free_bytes", lambda: 0)


def values(pool: Pool, part: int) -> np.ndarray:
    """All pixels of a source, in its order."""
    source = as_source(pool[part])
    found = source.batches([np.arange(len(source))], torch.device("cpu"))
    return torch.cat(list(found)).numpy()


@pytest.mark.parametrize("levels", [255, 65535])
def test_the_parts_lie_in_the_order_of_their_ids(tmp_path: Path, levels: int) -> None:
    collection = stored(tmp_path / "c", levels=levels, backwards=True)
    pool = training_pool(collection, split_of(collection))
    pixels = collection.pixels()[::-1]
    names = np.array(PARTS * 6)
    np.testing.assert_array_equal(values(pool, 0), pixels[np.isin(names, ("train", "pretrain"))])
    np.testing.assert_array_equal(values(pool, 1), pixels[names == "tune"])
    assert isinstance(pool.train, ArraySource)
    assert pool.train.levels.dtype == (np.uint8 if levels == 255 else np.uint16)


@pytest.mark.parametrize("levels", [255, 65535])
def test_streamed_they_are_the_same_to_the_bit(
    tmp_path: Path, levels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = stored(tmp_path / "c", levels=levels, backwards=True)
    held = training_pool(collection, split_of(collection))
    streamed(monkeypatch)
    read = training_pool(collection, split_of(collection))
    assert isinstance(read.train, StreamSource)
    for part in range(2):
        np.testing.assert_array_equal(values(read, part), values(held, part))
        for one, other in zip(
            as_source(held[part]).moments(), as_source(read[part]).moments(), strict=True
        ):
            assert torch.equal(one, other)


@pytest.mark.parametrize("dims", [2, 3])
def test_the_same_weights_come_of_memory_and_of_disk(
    tmp_path: Path, dims: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the collection was written, too."""
    collection = stored(tmp_path / "c", dims=dims)
    held = training_pool(collection, split_of(collection))
    streamed(monkeypatch)
    other = stored(tmp_path / "d", dims=dims, backwards=True)
    read = training_pool(other, split_of(other))
    assert isinstance(read.tune, StreamSource)
    found = []
    for pool in (held, read):
        settings = {"channels": 1, "size": list(SIDES[dims]), "widths": (4, 8)}
        network = build("invariant", settings)
        network.set_normalisation(*as_source(pool.train).moments())
        pretrain(network, pool, FitSettings(epochs=2, batch_size=8, precision="fp32"), seed=3)
        found.append(network.state_dict())
    for name, weights in found[0].items():
        assert torch.equal(weights, found[1][name]), name


def test_levels_are_read_into_memory_up_to_half_of_what_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = stored(tmp_path / "c")
    taken = 2 * 16 * 16 * 30  # four of eight scans learn, one judges
    for free, kind in ((2 * taken, ArraySource), (2 * taken - 2, StreamSource)):
        monkeypatch.setattr(pool_module, "free_bytes", lambda free=free: free)
        pool = training_pool(collection, split_of(collection))
        assert isinstance(pool.train, kind)
        assert isinstance(pool.tune, kind)
    assert free_bytes() >= 0
