"""``python -m benchmarks.starter``: make the starter encoder that the package holds.

It is the encoder of fold 0 of ``benchmarks.worth``: the default autoencoder, after twelve epochs on
unlabelled scans of four public sets together (at most 1500 of a set), none of them tested in that
fold, and none of a patient who is; of Kermany's set none of its given test part. Its weights are
kept as 16-bit floats, and with them a short hash of every picture that it learned from, and a card.

Trained where build/worth does not hold it yet: about 50,000 scans shown, 15 minutes of a core.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import save as save_tensors

from benchmarks.machine import ROOT, provenance
from benchmarks.worth_encoders import CACHE, EPOCHS, MOST_OF_A_SET, POOLS, VARIANTS, encoder, pooled
from benchmarks.worth_sets import Scans, load, unlabelled
from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.family import name_of
from latentdx.collection.store import Collection
from latentdx.core.files import write_atomic, write_json
from latentdx.core.hashing import hash_bytes

PLACE = ROOT / "src" / "latentdx" / "autoencoder" / "starter"
FOLD = 0
SIZE = 64
TOLD = {
    "kermany": ("children's chest X-rays", "CC BY 4.0 (Kermany et al., 2018)"),
    "nih": ("adults' chest X-rays", "NIH Clinical Center, free with credit (Wang et al., 2017)"),
    "brain-mr": ("brain MR, with and without tumour", "of the data not stated by its source"),
    "phantoms": ("synthetic chests, made by latentdx", "Apache-2.0"),
}
Texts = NDArray[np.str_]


def main(arguments: Sequence[str] | None = None) -> int:
    """Train or find it, and write the package's folder."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.starter", description=__doc__)
    parser.add_argument("--to", type=Path, default=PLACE)
    asked = parser.parse_args(arguments)
    sets = {name: found for name in POOLS[SIZE] if (found := load(name, CACHE))}
    if set(sets) != set(POOLS[SIZE]):
        print("the data folder lacks some of the sets", file=sys.stderr)
        return 1
    network = encoder(sets, list(sets), VARIANTS["default"], FOLD, trained=True)
    parts = {name: content_of(sets[name]) for name in sets}
    seen = pooled(list(parts.values()))
    counts = {name: min(len(each), MOST_OF_A_SET) for name, each in parts.items()}
    assert len(seen) == sum(counts.values())
    write_starter(asked.to, network, sorted({str(each)[:16] for each in seen}), counts)
    print(f"{len(seen)} scans, {len(set(seen.tolist()))} pictures: {asked.to}")
    return 0


def content_of(scans: Scans) -> Texts:
    """Hashes of the pictures that the fold's encoder may learn from, in the order of its levels."""
    table = Collection.open(CACHE / f"{scans.name}.collection").metadata()
    by_id = dict(zip(table.scan_id.tolist(), table.content_hash.tolist(), strict=True))
    learned = [by_id[name] for name in scans.names[scans.learned(FOLD)].tolist()]
    return np.array([*learned, *table.content_hash[unlabelled(table)].tolist()], np.str_)


def write_starter(
    to: Path, network: Autoencoder, seen: Sequence[str], counts: dict[str, int]
) -> None:
    """Weights, record and card of an encoder's folder."""
    to.mkdir(parents=True, exist_ok=True)
    held = {
        name: each.half() if each.is_floating_point() else each
        for name, each in network.state_dict().items()
    }
    weights = bytes(save_tensors({name: each.contiguous() for name, each in held.items()}))
    write_atomic(to / "encoder.safetensors", weights)
    sets = [f"{name} ({count:,} scans of {TOLD[name][0]})" for name, count in counts.items()]
    record: dict[str, Any] = {
        "format": "latentdx-encoder",
        "name": name_of(network),
        "settings": network.settings(),
        "sha256": hash_bytes(weights),
        "learned_from": sets,
        "seen_all": True,
        "ancestry": [],
        "seen": list(seen),
    }
    write_json(to / "encoder.json", record)
    write_atomic(to / "README.md", _card(network, counts, len(weights)))


def _card(network: Autoencoder, counts: dict[str, int], size: int) -> str:
    made = provenance()
    rows = [f"| {name} | {TOLD[name][0]} | {n:,} | {TOLD[name][1]} |" for name, n in counts.items()]
    n_weights = sum(each.numel() for each in network.parameters())
    return "\n".join(
        [
            "---",
            "library_name: latentdx",
            "tags: [medical-imaging, autoencoder, few-labels]",
            "---",
            "",
            "# latentdx starter",
            "",
            "An encoder to begin from: `latentdx run SOURCE --from starter`. It has learned, "
            "without labels, what scans of four public sets look like. It diagnoses nothing by "
            "itself. For research use; not a medical device.",
            "",
            "| set | what | scans | licence, as its source states it |",
            "|---|---|---|---|",
            *rows,
            "",
            "No scan of a test part, and none of a patient in one: of Kermany's set the given test "
            "part, of the others fold 0 of `benchmarks.worth`. What it has seen stands in "
            "`encoder.json` as the first 16 hex digits of each picture's SHA-256: a run that holds "
            "one of them out is refused. The same scan in another form (another size, another "
            "file format, as PneumoniaMNIST is of Kermany's) is not recognised: do not test on "
            "these patients.",
            "",
            f"Autoencoder `{name_of(network)}`, {n_weights:,} weights in 16 bits ({size / 1e6:.1f} "
            f"MB), 1 channel, {SIZE} pixels a side (it is convolutional: others fit), settings "
            f"`{json.dumps(network.settings())}`. {EPOCHS} epochs, all else as `latentdx pretrain` "
            "does it unasked. Made by `python -m benchmarks.starter` with latentdx "
            f"{made['versions']['latentdx']}, torch {made['versions']['torch']}; "
            f"written at commit {made['commit']}.",
            "",
            "What it is worth on a set that it has not seen: docs/transfer.md.",
            "",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
