"""A phantom scan as a DICOM file: CR or DX, every mandatory attribute, the same bytes each time."""

from __future__ import annotations

import hashlib
import io
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filewriter import dcmwrite
from pydicom.sequence import Sequence
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
)

from latentdx.collection.phantom_canvas import Image
from latentdx.collection.phantom_patient import PhantomPatient
from latentdx.collection.phantom_scanner import SITES, Site

_CLASSES = {"CR": ComputedRadiographyImageStorage, "DX": DigitalXRayImageStorageForPresentation}
_FIRST_DAY = date(2020, 1, 6)
_WEEKS_BETWEEN = 4


def phantom_dicom(pixels: Image, patient: PhantomPatient, *, scan: int, seed: int) -> bytes:
    """The bytes of one file. `pixels` (rows, columns) are 0..1 as shown, brighter = denser."""
    site = SITES[patient.site]
    ds = Dataset()
    for part in (
        _identity(patient, site, scan, seed),
        _equipment(site),
        _series(patient, site),
        _image(pixels, site),
        _digital_x_ray(patient) if site.modality == "DX" else {},
    ):
        for keyword, value in part.items():
            setattr(ds, keyword, value)
    ds.file_meta = _meta(ds)
    buffer = io.BytesIO()
    dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()


def uid(*names: str | int) -> str:
    """A valid UID under ``2.25.`` (a UUID as a number), the same for the same names.

    Examples
    --------
    >>> uid("study", 1) == uid("study", 1), len(uid("study", 1)) <= 64
    (True, True)
    """
    text = "\x1f".join(map(str, ("latentdx phantom", *names)))
    number = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), "big")
    return f"2.25.{number}"


def _meta(ds: Dataset) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = ds.SOPClassUID
    meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    # pydicom would write its own version here: the bytes would change with it.
    meta.ImplementationClassUID = uid("implementation")
    meta.ImplementationVersionName = "LATENTDX_PHANTOM"
    return meta


def _identity(patient: PhantomPatient, site: Site, scan: int, seed: int) -> dict[str, Any]:
    """Patient, general study, SOP common."""
    day = _FIRST_DAY + timedelta(weeks=_WEEKS_BETWEEN * scan, days=patient.number % 5)
    names = (seed, patient.name, scan)
    return {
        "SpecificCharacterSet": "ISO_IR 192",
        "SOPClassUID": _CLASSES[site.modality],
        "SOPInstanceUID": uid("instance", *names),
        "PatientName": f"PHANTOM^{patient.name}",
        "PatientID": f"PHANTOM-{patient.name}",
        "PatientBirthDate": "",
        "PatientSex": patient.sex,
        "PatientAge": f"{patient.age:03d}Y",
        "StudyInstanceUID": uid("study", *names),
        "StudyID": str(scan + 1),
        "StudyDate": day.strftime("%Y%m%d"),
        "StudyTime": "080000",
        "AccessionNumber": "",
        "ReferringPhysicianName": "",
        "SeriesInstanceUID": uid("series", *names),
        "ContentDate": day.strftime("%Y%m%d"),
        "ContentTime": "080000",
        "AcquisitionDate": day.strftime("%Y%m%d"),
    }


def _equipment(site: Site) -> dict[str, Any]:
    return {
        "Manufacturer": f"PHANTOM WORKS {site.name}",
        "ManufacturerModelName": f"SYNTHETIC {site.modality}",
        "InstitutionName": f"PHANTOM SITE {site.name}",
        "StationName": f"PHANTOM_{site.name}",
        "DeviceSerialNumber": f"PHANTOM-{site.name}",
        "SoftwareVersions": "1",
    }


def _series(patient: PhantomPatient, site: Site) -> dict[str, Any]:
    return {
        "Modality": site.modality,
        "SeriesNumber": 1,
        "SeriesDescription": "SYNTHETIC PHANTOM",
        "BodyPartExamined": "CHEST",
        "ViewPosition": patient.view,
        "InstanceNumber": 1,
        "PatientOrientation": ["L", "F"],
        "ImageType": ["DERIVED", "PRIMARY"],
        "BurnedInAnnotation": "NO",
        "LossyImageCompression": "00",
    }


def _image(pixels: Image, site: Site) -> dict[str, Any]:
    stored, (center, width) = _stored(pixels, site)
    spacing = round(site.width_mm / max(pixels.shape), 6)
    return {
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": site.photometric,
        "Rows": pixels.shape[0],
        "Columns": pixels.shape[1],
        "BitsAllocated": 16,
        "BitsStored": site.bits,
        "HighBit": site.bits - 1,
        "PixelRepresentation": 0,
        "PixelSpacing": [spacing, spacing],
        "ImagerPixelSpacing": [spacing, spacing],
        "WindowCenter": center,
        "WindowWidth": width,
        "PixelData": stored.tobytes(),
    }


def _stored(pixels: Image, site: Site) -> tuple[NDArray[np.uint16], tuple[float, float]]:
    """Whole numbers as the scanner stores them, and the window (centre, width) that shows them."""
    full = 2**site.bits - 1
    low, high = (round(end * full) for end in site.window)
    values = np.rint(np.float32(low) + pixels * np.float32(high - low)).astype("<u2")
    if site.photometric == "MONOCHROME1":
        values, low, high = (full - values).astype("<u2"), full - high, full - low
    # LINEAR (PS3.3 C.11.2.1.2): black at or below center - 0.5 - (width - 1) / 2.
    return values, ((low + high + 1) / 2, float(high - low + 1))


def _digital_x_ray(patient: PhantomPatient) -> dict[str, Any]:
    """What DX asks for beyond CR: anatomy, detector, positioning, acquisition context."""
    return {
        "PresentationIntentType": "FOR PRESENTATION",
        "PresentationLUTShape": "IDENTITY",
        "RescaleIntercept": 0,
        "RescaleSlope": 1,
        "RescaleType": "US",
        "ImageLaterality": "U",
        "AnatomicRegionSequence": Sequence([_code("51185008", "SCT", "Chest")]),
        "PixelIntensityRelationship": "LOG",
        "PixelIntensityRelationshipSign": -1,
        "DetectorType": "DIRECT",
        "DetectorID": "PHANTOM",
        "PositionerType": "NONE",
        "ViewCodeSequence": Sequence([_view(patient.view)]),
        "AcquisitionContextSequence": Sequence([]),
    }


def _view(view: str) -> Dataset:
    known = {"PA": ("399348003", "postero-anterior"), "AP": ("399173006", "antero-posterior")}
    value, meaning = known[view]
    item = _code(value, "SCT", meaning)
    item.ViewModifierCodeSequence = Sequence([])
    return item


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item
