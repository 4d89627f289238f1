"""From the DICOM frames of one series to one volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from latentdx.core.errors import InputError
from latentdx.scans.dicom_window import CT_WINDOW
from latentdx.scans.frames import Frames, Window
from latentdx.scans.gaps import evened
from latentdx.scans.one_series import require_one_series
from latentdx.scans.orientation import LPS_TO_RAS, require_affine
from latentdx.scans.policy import Policy
from latentdx.scans.stack import Stack, sorted_by, straightened, without_copies
from latentdx.scans.volume import Volume

_AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
_FARTHEST_MM = 1e6


def assemble(frames: Sequence[Frames], policy: Policy) -> Volume:
    """One volume (X, Y, Z) = (column, row, slice) from the files of a series, in any order.

    Slices are sorted along their normal, copies dropped, a gantry's tilt straightened, uneven
    distances evened (see `latentdx.scans.stack` and `latentdx.scans.gaps`). Without positions they
    stay in the order given, and spacing is told only where the files state the distance of slices.
    The window of a CT is the policy's, else the one that most files give, else 40, 400; other
    modalities have the policy's or none. MONOCHROME1 is negated, its window with it.

    Warnings: ``W_GAP``, ``W_TILT``. Raises `InputError` ``E_SERIES`` where the files do not make
    one volume, ``E_AFFINE`` where their places contradict themselves.

    Examples
    --------
    >>> places, axes = np.array([[0.0, 0, 5], [0, 0, 0]]), np.array([[1.0, 0, 0, 0, 1, 0]] * 2)
    >>> pixels = np.array([[[5]], [[0]]])
    >>> volume = assemble([Frames(pixels, None, places, axes, (1.0, 2.0))], Policy(dims=3))
    >>> volume.values.ravel().tolist(), np.diag(volume.affine).tolist()
    ([0, 5], [-2.0, -1.0, 5.0, 1.0])
    """
    require_one_series(frames)
    stack, step = _placed(frames) if _has_places(frames) else _unplaced(frames)
    told = frames[0].spacing_mm is not None and step is not None
    affine = _affine(stack, step or 1.0)
    require_affine(affine)
    window, chosen = _window(frames, policy)
    volume = Volume(
        stack.values.transpose(2, 1, 0),
        affine,
        valid=None if stack.valid is None else stack.valid.transpose(2, 1, 0),
        window=window,
        windows=tuple(_range(Window(*each, "LINEAR_EXACT")) for each in policy.windows),
        has_spacing=told,
        identity=frames[0].identity,
        conversions=(*_merged(frames), *stack.done, *chosen),
        warnings=stack.warnings,
    )
    return _inverted(volume) if frames[0].inverted else volume


def _has_places(frames: Sequence[Frames]) -> bool:
    return frames[0].positions is not None and frames[0].orientations is not None


def _placed(frames: Sequence[Frames]) -> tuple[Stack, float | None]:
    positions = np.concatenate([part.positions for part in frames if part.positions is not None])
    spacing = np.array(frames[0].spacing_mm or (1.0, 1.0))
    if not (np.isfinite(spacing) & (spacing > 0)).all():
        raise InputError("E_AFFINE", "a pixel spacing that is no length", fix="export it again")
    if not (np.abs(positions) <= _FARTHEST_MM).all():  # nor does NaN pass
        raise InputError(
            "E_AFFINE", "places of slices that are no places in a scanner", fix="export it again"
        )
    order, done = sorted_by(positions @ np.cross(*_axes(frames)))
    stack = without_copies(_stack(frames, positions, order).noted(done))
    if frames[0].spacing_mm is not None:
        stack = straightened(stack)
    stack, step = evened(stack)
    return stack, frames[0].spacing_between_mm if step is None else step


def _unplaced(frames: Sequence[Frames]) -> tuple[Stack, float | None]:
    step = frames[0].spacing_between_mm
    count = sum(len(part.values) for part in frames)
    done = ["the files tell no places: slices in the order given"]
    if frames[0].orientations is None:
        done.append("the files tell no orientation: axial assumed")
    if step is None:
        done.append("the files tell no distance of slices: spacing unknown")
    return _stack(frames, np.zeros((count, 3)), np.arange(count)).noted(*done), step


def _axes(frames: Sequence[Frames]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Unit vectors along which the column and the row index run."""
    told = frames[0].orientations
    axes = np.asarray(_AXIAL if told is None else told[0], np.float64).reshape(2, 3)
    lengths = np.linalg.norm(axes, axis=1, keepdims=True)
    if not np.isfinite(axes).all() or not lengths.all() or abs(axes[0] @ axes[1]) > 0.01:
        raise InputError(
            "E_AFFINE", "the axes of a slice are not at right angles", fix="export it again"
        )
    along, down = axes / lengths
    return along, down


def _stack(
    frames: Sequence[Frames], positions: NDArray[np.float64], order: NDArray[np.intp]
) -> Stack:
    """The slices in `order`, each copied once."""
    values = [image for part in frames for image in part.values]
    kind = np.result_type(*{image.dtype for image in values})
    along, down = _axes(frames)
    return Stack(
        np.stack([values[k] for k in order], dtype=kind),
        _valid(frames, order),
        positions[order],
        along,
        down,
        frames[0].spacing_mm or (1.0, 1.0),
    )


def _valid(frames: Sequence[Frames], order: NDArray[np.intp]) -> NDArray[np.bool_] | None:
    if all(part.valid is None for part in frames):
        return None
    masks: list[NDArray[np.bool_]] = []
    for part in frames:
        masks.extend(np.ones(part.values.shape, bool) if part.valid is None else part.valid)
    return np.stack([masks[k] for k in order])


def _affine(stack: Stack, step: float) -> NDArray[np.float64]:
    affine = np.eye(4)
    affine[:3, 0] = stack.rows * stack.spacing_mm[1]
    affine[:3, 1] = stack.columns * stack.spacing_mm[0]
    affine[:3, 2] = stack.normal * step
    affine[:3, 3] = stack.positions[0]
    return LPS_TO_RAS @ affine


def _window(
    frames: Sequence[Frames], policy: Policy
) -> tuple[tuple[float, float] | None, tuple[str, ...]]:
    """(low, high) that become 0 and 1, and what had to be chosen."""
    if policy.windows:
        return None, ()
    if policy.window is not None:
        return _range(Window(*policy.window, "LINEAR_EXACT")), ()
    if frames[0].identity.get("modality") != "CT":
        return None, ()
    found = [part.window for part in frames if part.window is not None]
    if not found:
        return _range(CT_WINDOW), ("no window in the files: 40, 400 taken",)
    most = max(found, key=found.count)
    if found.count(most) == len(frames):
        return _range(most), ()
    return _range(most), ("windows differ between slices: the most frequent taken",)


def _range(window: Window) -> tuple[float, float]:
    """A sigmoid is taken as the line that it touches in its centre."""
    center, width = window.center, window.width
    if window.function == "LINEAR":
        center, width = center - 0.5, max(width - 1, 1e-3)
    return center - width / 2, center + width / 2


def _merged(frames: Sequence[Frames]) -> tuple[str, ...]:
    """What was done to any of the files, each once."""
    return tuple(dict.fromkeys(text for part in frames for text in part.conversions))


def _inverted(volume: Volume) -> Volume:
    """Brighter = more signal."""
    values = volume.values
    if values.dtype.kind in "iu":
        values = values.astype(np.int32 if values.dtype.itemsize < 4 else np.int64)
    return replace(
        volume,
        values=-values,
        window=volume.window and (-volume.window[1], -volume.window[0]),
        windows=tuple((-high, -low) for low, high in volume.windows),
        conversions=(*volume.conversions, "MONOCHROME1 inverted"),
    )
