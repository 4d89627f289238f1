"""An ``.npz`` as a source, in MedMNIST's layout or with plain ``images`` and ``labels``."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentdx.collection.listing import PART_NAMES, Entry, SourceListing
from latentdx.collection.tasks import NONE, SEPARATOR
from latentdx.core.errors import InputError, StopError
from latentdx.core.hashing import hash_array
from latentdx.scans.arrays import open_npz_arrays, read_npy
from latentdx.scans.intensity import merge_equal_channels
from latentdx.scans.limits import Limits
from latentdx.scans.policy import Policy
from latentdx.scans.prepared import prepared
from latentdx.scans.request import Request
from latentdx.scans.scan import Scan

Arrays = dict[str, NDArray[Any]]

_DRAWN = 32


def list_npz(source: Path, dims: int = 2) -> SourceListing:
    """Its images in order, as ``name.npz#train/12`` (or ``name.npz#images/12``).

    Keys: ``{train,val,test}_images`` and ``..._labels``, or ``images`` and ``labels``; labels may
    be absent. Images are (N, H, W) or (N, H, W, 3), with `dims` 3 volumes (N, X, Y, Z); labels are
    whole numbers or names (N,) or (N, 1), or 0 and 1 (N, L): the findings of a scan, by number.
    Raises `StopError`: ``E_SOURCE``, ``E_NDIM`` (volumes), ``E_FINDINGS`` (other numbers than 0 and
    1), or the code of `open_npz_arrays` where the file cannot be read.
    """
    arrays = _open(source)
    groups = _groups(arrays, source, dims)
    entries: list[Entry] = []
    for group, images in groups.items():
        part = PART_NAMES.get(group.casefold())
        labels = _labels(arrays, group, len(images), source)
        entries += [
            Entry(f"{source.name}#{group}/{index}", part, label)
            for index, label in enumerate(labels)
        ]
    side = max(max(images.shape[1 : 1 + dims]) for images in groups.values())
    channels = 1 if dims == 3 else _channels(groups)
    notes = tuple(_absent(arrays))
    return SourceListing(source, "npz", tuple(entries), side=side, channels=channels, notes=notes)


def read_npz(
    source: Path, paths: Iterable[str], request: Request
) -> Iterator[tuple[Scan | InputError, ...] | InputError]:
    """The scans at `paths` (see `list_npz`), each read as an ``.npy`` file of its own would be."""
    policy = request.policy
    groups = _groups(_open(source), source, 3 if policy.takes_volumes else 2)
    for path in paths:
        group, index = path.rpartition("#")[2].split("/")
        try:
            scans = _scans(groups[group][int(index)], policy)
            yield tuple(request.deliver(scan) for scan in scans)
        except InputError as error:
            yield InputError(error.code, error.found, fix=error.fix, path=path)


def _open(source: Path) -> Arrays:
    try:
        return open_npz_arrays(source)
    except InputError as error:
        raise StopError(error.code, error.found, fix=error.fix, path=source) from None


def _groups(arrays: Arrays, source: Path, dims: int) -> Arrays:
    """Images by the name that stands in the path: the part's own, or ``images``."""
    groups = {
        name.removesuffix("_images"): values
        for name, values in arrays.items()
        if name == "images" or name.removesuffix("_images").casefold() in PART_NAMES
    }
    if not sum(map(len, groups.values())):
        raise StopError(
            "E_SOURCE",
            f"no images; arrays: {', '.join(arrays)}",
            fix="name them train_images, val_images, test_images, or images",
            path=source,
        )
    for name, images in groups.items():
        if images.dtype.kind not in "buif":
            found = f"the images of {name!r} are no numbers"
            raise StopError("E_FORMAT", found, fix="save them as plain numbers", path=source)
        is_picture = images.ndim == 3 or (images.ndim == 4 and images.shape[3] in (1, 3))
        if not (images.ndim == 4 if dims == 3 else is_picture):
            wanted = "(N, X, Y, Z)" if dims == 3 else "(N, H, W) or (N, H, W, 3)"
            raise StopError(
                "E_NDIM",
                f"the images of {name!r} have shape {images.shape}, not {wanted}",
                fix="read volumes with --dims 3, pictures with --dims 2",
                path=source,
            )
    return groups


def _labels(arrays: Arrays, group: str, n_images: int, source: Path) -> list[str | None]:
    name = "labels" if group == "images" else f"{group}_labels"
    if name not in arrays:
        return [None] * n_images
    labels = arrays[name]
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.dtype.kind in "US" and labels.shape == (n_images,):
        return [_text(label) for label in labels.tolist()]
    is_number = labels.dtype.kind in "buif" and labels.ndim in (1, 2)
    whole = is_number and np.array_equal(labels, np.rint(labels))
    if len(labels) != n_images or not whole:
        raise StopError(
            "E_SOURCE",
            f"{name} of type {labels.dtype} and shape {labels.shape} for {n_images} images",
            fix="give one whole number or name an image, or one 0 or 1 an image and finding",
            path=source,
        )
    if labels.ndim == 1:
        return [str(int(label)) for label in labels]
    if not np.isin(labels, (0, 1)).all():
        text = f"{name} of shape {labels.shape} holds other numbers than 0 and 1"
        raise StopError("E_FINDINGS", text, fix="1 where a scan has a finding, else 0", path=source)
    return [
        SEPARATOR.join(map(finding_name, np.flatnonzero(row).tolist())) or NONE for row in labels
    ]


def _text(label: str | bytes) -> str | None:
    """A label's name, None where it is empty."""
    text = label if isinstance(label, str) else label.decode("utf-8", "replace")
    return text.strip() or None


def finding_name(number: int) -> str:
    """The name of a finding that is known by its number alone.

    Examples
    --------
    >>> finding_name(3)
    'finding 3'
    """
    return f"finding {number}"


def _absent(arrays: Arrays) -> list[str]:
    """Findings that no scan has, in words."""
    tables = [
        values
        for name, values in arrays.items()
        if name.endswith("labels")
        and values.dtype.kind in "buif"
        and values.ndim == 2
        and values.shape[1] > 1
    ]
    if len({values.shape[1] for values in tables}) != 1:
        return []
    present = np.concatenate(tables).any(axis=0)
    return [f"no scan has {finding_name(number)}" for number in np.flatnonzero(~present).tolist()]


def _scans(image: NDArray[Any], policy: Policy) -> Iterator[Scan]:
    file = io.BytesIO()
    np.save(file, image, allow_pickle=False)
    for scan in read_npy(file.getvalue(), Limits(), policy):
        merged = replace(scan, pixels=merge_equal_channels(scan.pixels))
        if scan.dims == 2:
            merged = prepared(merged, policy)
        yield replace(merged, content_hash=hash_array(merged.pixels))


def _channels(groups: Arrays) -> int:
    """3 where most of a few evenly drawn images have real colour."""
    images = max(groups.values(), key=len)
    if images.ndim == 3 or images.shape[3] == 1:
        return 1
    drawn = np.linspace(0, len(images) - 1, min(_DRAWN, len(images))).astype(int)
    try:
        n_colour = sum(
            len(scan.pixels) == 3 for index in drawn for scan in _scans(images[index], Policy())
        )
    except InputError:
        return 3
    return 3 if 2 * n_colour > len(drawn) else 1
