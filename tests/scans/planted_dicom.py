"""DICOM files with an identifier of its own in every place that can hold one."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import numpy as np
import pydicom
from pydicom import DataElement, Dataset
from pydicom.datadict import DicomDictionary, dictionary_has_tag, dictionary_VR
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian

from latentdx.scans.profile_table import rules

PIXELS = (np.arange(48 * 64, dtype=np.uint16).reshape(48, 64) * 11) % 4096
PATIENT = "PLANTPATIENT4711"

TEXTS = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
BYTES = frozenset({"OB", "OW", "UN"})
# Written by the image itself below, or read as something else when it holds text.
_OWN = frozenset(
    {0x00020010, 0x00080005, 0x00080016, 0x00080060, 0x00100020, 0x00280002, 0x00280004,
     0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280102, 0x00280103, 0x7FE00010,
     0x00041220, 0x0008001A}
)  # fmt: skip


@dataclass
class Planter:
    """Hands out identifiers and remembers each with the place where it was put."""

    places: dict[str, str] = field(default_factory=dict)

    def text(self, place: str) -> str:
        return self._remember(f"PLANT{len(self.places):05}Z", place)

    def uid(self, place: str) -> str:
        return self._remember(f"1.2.826.0.1.99.{len(self.places):05}", place)

    def number(self, place: str) -> str:
        return self._remember(f"8{len(self.places):05}33", place)

    def day(self, place: str) -> str:
        """Days of one year: moved by a year or more, none can be taken for another."""
        n_days = sum(name.startswith("1951") and len(name) == 8 for name in self.places)
        day = date(1951, 1, 1) + timedelta(days=n_days)
        assert day.year == 1951, "more dates than days"
        return self._remember(day.strftime("%Y%m%d"), place)

    def moment(self, place: str) -> str:
        self._remember(found := f"13{len(self.places) % 60:02}17.{len(self.places):06}", place)
        return found

    def _remember(self, token: str, place: str) -> str:
        assert token not in self.places
        self.places[token] = place
        return token

    def element(self, tag: int, vr: str, place: str) -> DataElement | None:
        if vr in TEXTS:
            return DataElement(tag, vr, self.text(place))
        if vr in BYTES:
            return DataElement(tag, vr, self.text(place).encode().ljust(12))
        if vr == "UI":
            return DataElement(tag, vr, self.uid(place))
        if vr in ("DS", "IS"):
            return DataElement(tag, vr, self.number(place))
        if vr == "DA":
            return DataElement(tag, vr, self.day(place))
        if vr == "DT":
            return DataElement(tag, vr, self.day(place) + "101010")
        if vr == "TM":
            return DataElement(tag, vr, self.moment(place))
        return None


def table_tags() -> list[int]:
    """Every attribute of the profile's table, its repeating groups at both their ends."""
    found = []
    for name in rules():
        if name == "private":
            continue
        lows = ("00", "1E") if name[2:4] == "xx" else (name[2:4],)
        rest = "0010" if name.endswith("xxxx") else name[4:]
        found += [int(name[:2] + low + rest, 16) for low in lows]
    return sorted(tag for tag in found if tag not in _OWN)


def unlisted_text_tags() -> list[int]:
    """Text attributes of the dictionary that the table does not list."""
    listed = set(table_tags())
    return sorted(
        tag
        for tag, entry in DicomDictionary.items()
        if entry[0] in TEXTS and tag not in listed | _OWN and tag >> 16 > 4
    )


def base(pixels: np.ndarray = PIXELS) -> Dataset:
    """An image that can be decoded, of a named patient."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.7", "1.2.826.0.1.98.1"
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.PatientID, ds.Modality = PATIENT, "CR"
    ds.Rows, ds.Columns = pixels.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.PixelData = pixels.tobytes()
    ds["PixelData"].VR = "OW"
    return ds


def planted(planter: Planter) -> Dataset:
    """Identifiers in all attributes of the table and all other text attributes, at depth 0."""
    ds = base()
    planter.places[PATIENT] = "PatientID"
    ds.file_meta.SourceApplicationEntityTitle = planter.text("file meta AE")
    ds.file_meta.PrivateInformationCreatorUID = "1.2.3.4"
    ds.file_meta.PrivateInformation = planter.text("file meta private").encode()
    for tag in table_tags() + unlisted_text_tags():
        if tag >> 16 <= 4:
            continue
        add(ds, tag, planter, f"{tag:08X}")
    plant_beside(ds, planter)
    return ds


def add(ds: Dataset, tag: int, planter: Planter, place: str) -> None:
    """One attribute with an identifier; a sequence gets an item that holds some."""
    vr = vr_of(tag)
    if vr == "SQ":
        ds[tag] = DataElement(tag, "SQ", Sequence([nested(planter, place, depth=1)]))
    elif (element := planter.element(tag, vr, place)) is not None:
        ds[tag] = element


def vr_of(tag: int) -> str:
    if not dictionary_has_tag(tag):
        return {0x50: "OW", 0x60: "LT"}.get(tag >> 24, "UN")
    return dictionary_VR(tag).split(" or ")[0]


def nested(planter: Planter, place: str, *, depth: int) -> Dataset:
    """An item with identifiers of several kinds."""
    item = Dataset()
    item.PatientName = planter.text(f"{place}/{depth} name")
    item.ImageComments = planter.text(f"{place}/{depth} comments")
    item.ReferencedSOPInstanceUID = planter.uid(f"{place}/{depth} uid")
    item.CodeValue = planter.text(f"{place}/{depth} code")
    item.CodingSchemeDesignator = planter.text(f"{place}/{depth} scheme")
    item.CodeMeaning = planter.text(f"{place}/{depth} meaning")
    item.add_new(0x00091001, "LO", planter.text(f"{place}/{depth} private"))
    return item


def plant_beside(ds: Dataset, planter: Planter) -> None:
    """Deep in kept sequences, in private blocks, and beside the pixels."""
    # Sequences that the table does not list are followed: four of them, one in the other.
    inner = nested(planter, "deep", depth=4)
    for depth, keyword in ((3, "PlaneOrientationSequence"), (2, "FrameContentSequence"),
                           (1, "SharedFunctionalGroupsSequence")):  # fmt: skip
        outer = nested(planter, "deep", depth=depth)
        setattr(outer, keyword, [inner])
        inner = outer
    ds.PerFrameFunctionalGroupsSequence = [inner]
    block = ds.private_block(0x0011, planter.text("private creator"), create=True)
    block.add_new(0x01, "LO", planter.text("private text"))
    block.add_new(0x02, "UN", planter.text("private bytes").encode().ljust(12))
    block.add_new(0x03, "SQ", Sequence([nested(planter, "private sequence", depth=1)]))
    safe = ds.private_block(0x7E01, "HOLOGIC, Inc.", create=True)
    safe.add_new(0x01, "LO", planter.text("safe private text"))
    safe.add_new(0x10, "SQ", Sequence([nested(planter, "safe private sequence", depth=1)]))
    safe.add_new(0x77, "LO", planter.text("private beside safe"))
    ds.PixelData = ds.PixelData + planter.text("behind the pixels").encode().ljust(12)
    ds["PixelData"].VR = "OW"


def file_bytes(ds: Dataset, planter: Planter) -> bytes:
    """The file, identifiers in its preamble too."""
    with pydicom.config.disable_value_validation():
        buffer = io.BytesIO()
        ds.save_as(buffer, enforce_file_format=True)
    data = bytearray(buffer.getvalue())
    data[:12] = planter.text("preamble").encode().ljust(12)
    return bytes(data)


def found_in(tokens: Any, data: bytes) -> list[str]:
    """Which identifiers occur in bytes, as ASCII or UTF-16, in any case."""
    plain = data.upper()
    wide = plain.replace(b"\0", b"")
    return [
        token
        for token in tokens
        if token.encode().upper() in plain or token.encode().upper() in wide
    ]
