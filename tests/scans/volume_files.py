"""Volumes as files and as frames, made for one trait each."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pydicom
import SimpleITK
from numpy.typing import NDArray

from latentdx.scans.frames import Frames, Window
from latentdx.scans.limits import Limits
from latentdx.scans.policy import Policy

LIMITS, VOLUMES = Limits(), Policy(dims=3)
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def ramp(shape: tuple[int, ...], dtype: str = "i2") -> NDArray[Any]:
    """Every voxel another value (as far as the type has them)."""
    return np.arange(np.prod(shape)).reshape(shape).astype(dtype)


def nifti_bytes(values: NDArray[Any], affine: Any = None, **header: Any) -> bytes:
    """A .nii file; `header` sets fields, after nibabel has written the others."""
    version = header.pop("version", 1)
    kind = {1: nibabel.Nifti1Image, 2: nibabel.Nifti2Image}[version]
    image = kind(values, affine, dtype=values.dtype)
    data = bytearray(image.to_bytes())
    head_class = type(image.header)
    head = head_class(bytes(data[: head_class.template_dtype.itemsize]), check=False)
    for name, value in header.items():
        head[name] = value
    data[: len(head.binaryblock)] = head.binaryblock
    return bytes(data)


def itk_bytes(image: Any, suffix: str, *, packed: bool = False) -> bytes:
    """What SimpleITK writes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"volume{suffix}"
        SimpleITK.WriteImage(image, str(path), packed)
        return path.read_bytes()


def itk_image(values: NDArray[Any], affine: NDArray[np.float64]) -> Any:
    """(X, Y, Z) and an affine in RAS+ as SimpleITK holds them."""
    image = SimpleITK.GetImageFromArray(np.ascontiguousarray(values.transpose(2, 1, 0)))
    columns = (LPS @ affine)[:3]
    spacing = np.linalg.norm(columns[:, :3], axis=0)
    image.SetSpacing([float(size) for size in spacing])
    image.SetDirection((columns[:, :3] / spacing).ravel().tolist())
    image.SetOrigin(columns[:, 3].tolist())
    return image


def itk_affine(image: Any) -> NDArray[np.float64]:
    """SimpleITK's own idea of where an image lies, in RAS+."""
    affine = np.eye(4)
    affine[:3, :3] = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return LPS @ affine


def itk_values(image: Any) -> NDArray[Any]:
    return SimpleITK.GetArrayFromImage(image).transpose(2, 1, 0)


def slice_frames(
    values: NDArray[Any], positions: Any, orientation: Any = AXIAL, **options: Any
) -> list[Frames]:
    """One `Frames` a slice of (N, H, W), as a series of single-frame files gives them."""
    options = {"spacing_mm": (1.0, 1.0), **options}
    axes = np.array([orientation], float)
    return [
        Frames(value[None], positions=np.array([place], float), orientations=axes, **options)
        for value, place in zip(values, positions, strict=True)
    ]


def frames_of_dicom(path: Path) -> Frames:
    """One file by pydicom alone: the rescaled values and their place."""
    ds = pydicom.dcmread(path)
    values = ds.pixel_array * np.float32(ds.get("RescaleSlope", 1))
    values = values + np.float32(ds.get("RescaleIntercept", 0))
    center, width = (np.atleast_1d(ds.get(f"Window{word}"))[0] for word in ("Center", "Width"))
    window = None if center is None else Window(float(center), float(width))
    return Frames(
        values[None],
        positions=np.array([ds.ImagePositionPatient], float),
        orientations=np.array([ds.ImageOrientationPatient], float),
        spacing_mm=(float(ds.PixelSpacing[0]), float(ds.PixelSpacing[1])),
        window=window,
        identity={"modality": ds.Modality},
    )


def series_paths(folder: Path) -> Sequence[Path]:
    return sorted(folder.glob("*.dcm"))


def stored(image: Any) -> bytes:
    """A nibabel image in memory, as a file."""
    buffer = io.BytesIO()
    image.to_stream(buffer)
    return buffer.getvalue()
