"""What a policy makes of a decoded scan: bias field, crop to a region, grey levels by the body."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from latentdx.scans.own_mask import LEFT_WHOLE, NO_MASK, mask_box
from latentdx.scans.policy import Policy
from latentdx.scans.scan import Scan

Pixels = NDArray[np.float32]

_REACH = 3.0  # deviations to both sides of the body's mean that 0..1 spans


def prepared(scan: Scan, policy: Policy) -> Scan:
    """The scan as `policy` wants it, each step recorded; itself where nothing is asked for.

    In this order: the bias field divided out (`latentdx.scans.bias_field`), cropped to the box of
    the policy's region, and 0..1 laid over three deviations to both sides of the mean within the
    body (clipped), so that the same tissue is as bright in every scan of a sequence. Then
    measured, where that is asked for.

    Raises `InputError` ``E_EXTRA`` where the bias field is asked for and SimpleITK is missing.

    Examples
    --------
    >>> pixels = np.zeros((1, 64, 64), np.float32)
    >>> pixels[:, 16:48, 16:48] = 0.5
    >>> found = prepared(Scan(pixels, (64, 64)), Policy(region="body"))
    >>> found.pixels.shape, found.conversions
    ((1, 38, 38), ('cropped to the body: 13:51 of 64, 13:51 of 64',))
    """
    if policy.bias_field:
        from latentdx.scans.bias_field import without_bias

        scan = without_bias(scan)
    if policy.region is not None:
        scan = _cropped(scan, policy)
    if policy.scale == "body":
        scan = _by_body(scan)
    return _measured(scan, policy) if policy.measures else scan


def _measured(scan: Scan, policy: Policy) -> Scan:
    from latentdx.scans.measures import measures_of

    named = policy.region
    region = "body" if named is None or named == "field" or named == "mask" else named
    own = scan.mask if named == "mask" else None  # a mask that is kept for else may lack later
    return replace(scan, covariates={**scan.covariates, **measures_of(scan, region, own)})


def _cropped(scan: Scan, policy: Policy) -> Scan:
    from latentdx.scans.regions import region_box

    if policy.region == "mask":
        if scan.mask is None or not scan.mask.any():
            done, marks = (*scan.conversions, LEFT_WHOLE), (*scan.warnings, NO_MASK)
            return replace(scan, mask=None, conversions=done, warnings=marks)
        box = mask_box(scan.mask)
    else:
        assert policy.region is not None
        box = region_box(scan.pixels.mean(axis=0), policy.region)
    sides = scan.pixels.shape[1:]
    if all(part == slice(0, side) for part, side in zip(box, sides, strict=True)):
        return scan
    text = ", ".join(
        f"{part.start}:{part.stop} of {side}" for part, side in zip(box, sides, strict=True)
    )
    return replace(
        scan,
        pixels=np.ascontiguousarray(scan.pixels[(slice(None), *box)]),
        mask=None if scan.mask is None else scan.mask[box],
        conversions=(*scan.conversions, f"cropped to the {policy.region}: {text}"),
    )


def _by_body(scan: Scan) -> Scan:
    from latentdx.scans.regions import region_mask

    inside = region_mask(scan.pixels.mean(axis=0), "body")
    levels = scan.pixels[:, inside].astype(np.float64)
    mean, deviation = levels.mean(axis=1), levels.std(axis=1)
    if not (deviation > 1e-6).all():
        return scan
    shape = (-1, *[1] * scan.dims)
    z = (scan.pixels - mean.reshape(shape)) / deviation.reshape(shape)
    pixels = np.clip(0.5 + z / (2 * _REACH), 0, 1).astype(np.float32)
    return replace(
        scan,
        pixels=pixels,
        conversions=(*scan.conversions, "scaled by mean and deviation within the body"),
    )
