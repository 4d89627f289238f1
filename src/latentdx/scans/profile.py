"""The confidentiality profile of DICOM PS3.15 Annex E, applied to a data set at every depth."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from pydicom import DataElement, Dataset
from pydicom.datadict import dictionary_has_tag, keyword_for_tag
from pydicom.tag import BaseTag, Tag

from latentdx.scans import dates
from latentdx.scans.deidentify import pseudonym
from latentdx.scans.profile_options import ProfileOptions
from latentdx.scans.profile_table import rule_of, safe_private
from latentdx.scans.profile_terms import cleaned_words, model_name, vendor
from latentdx.scans.profile_values import (
    BINARIES,
    NUMBERS,
    dummy,
    is_public_code,
    kept_numbers,
    kept_terms,
    new_uid,
    plain_decimal,
    values_of,
    well_known_uids,
)

_PATIENT_ID, _PATIENT_NAME = 0x00100020, 0x00100010
_AGE, _BORN, _STUDY_DATE, _SEEN = 0x00101010, 0x00100030, 0x00080020, 0x00080022
_SITES = frozenset({0x00080080, 0x00081010})  # institution and station: pseudonyms, not dummies
_MAKER, _MODEL = 0x00080070, 0x00081090
_CODE, _SCHEME, _MEANING = 0x00080100, 0x00080102, 0x00080104
_CHARSET = 0x00080005


def deidentify_dataset(
    ds: Dataset, options: ProfileOptions, key: bytes, *, only: Sequence[BaseTag] | None = None
) -> Dataset:
    """A new data set with what the profile lets stay; `ds` is not changed.

    Source: DICOM PS3.15 Annex E. Sequences are followed to any depth, those of kept private
    blocks too. Of the actions that the standard leaves to the type of an attribute, a dummy or an
    empty value is taken, never the original. Beyond the standard, patient ID and name become the
    patient's pseudonym, institution and station a site's, the maker one of a list or a pseudonym.
    Where no patient is named, dates cannot be shifted and are removed. An element that cannot be
    read is left out.

    `only` limits the work to some tags of the outermost level, given in their order. The result
    has no preamble and no file meta information: see
    `latentdx.scans.profile_file.deidentify_file`.
    """
    clean = _Profile(options, key, _text(ds, _PATIENT_ID)).apply(ds, only)
    _fill_age(ds, clean, options)
    return clean


@functools.cache
def action_for(tag: int, active: frozenset[str]) -> str:
    """X, Z, D, U, K or C by the table, ``""`` for a tag that it does not list."""
    rule = rule_of(tag)
    return "" if rule is None else rule.action(active)


class _Profile:
    """One data set's way through the profile."""

    def __init__(self, options: ProfileOptions, key: bytes, patient: str | None) -> None:
        self.options, self.key = options, key
        self.patient = pseudonym(patient, key, "patient")
        self.days = dates.shift_days(patient, key) if options.dates == "shift" else None
        if options.dates == "keep":
            self.days = 0
        self.active = options.active
        if options.dates == "shift" and self.days is None:
            self.active -= {"modified_dates"}

    def apply(self, ds: Dataset, only: Sequence[BaseTag] | None = None) -> Dataset:
        clean = Dataset()
        present = ds.keys()
        # pydicom compares tags slowly: a few are looked up, not searched for among all.
        tags = sorted(present) if only is None else [tag for tag in only if tag in present]
        for tag in tags:
            action = action_for(int(tag), self.active)
            if action == "X" or tag.element == 0 or tag == _CHARSET:
                continue
            try:
                element = self._element(ds, tag, action)
            except RecursionError:
                raise
            except Exception:  # a broken value: what cannot be read cannot be cleaned either
                continue
            if element is not None:
                clean[tag] = element
        return _without_local_codes(clean) if self.options.strict else clean

    def _element(self, ds: Dataset, tag: BaseTag, action: str) -> DataElement | None:
        if tag.is_private:
            return self._private(ds, tag)
        element = ds[tag]
        if (named := self._pseudonymised(element)) is not None:
            return named
        if action == "Z":
            return DataElement(tag, element.VR, [] if element.VR == "SQ" else None)
        if action == "D":
            return self._dummied(element)
        if action == "U":
            return self._with_new_uids(element)
        if action == "C":
            return self._cleaned(element)
        if action == "K":
            return self._kept(element)
        return self._by_value(element) if self.options.strict else self._as_it_is(element)

    def _pseudonymised(self, element: DataElement) -> DataElement | None:
        tag, text = int(element.tag), str(element.value or "")
        if tag in (_PATIENT_ID, _PATIENT_NAME):
            return DataElement(tag, element.VR, self.patient)
        if tag == _MAKER and self.options.strict and not self.options.device:
            return DataElement(tag, "LO", vendor(text, self.key))
        if tag == _MODEL and self.options.strict and not self.options.device:
            return DataElement(tag, "LO", model_name(text, self.key))
        if tag in _SITES and action_for(tag, self.active) != "K":
            return DataElement(tag, element.VR, pseudonym(text, self.key, "site"))
        return None

    def _dummied(self, element: DataElement) -> DataElement:
        if element.VR == "UI":
            return self._with_new_uids(element)
        value = [Dataset()] if element.VR == "SQ" else dummy(element.VR)
        return DataElement(element.tag, element.VR, value)

    def _with_new_uids(self, element: DataElement) -> DataElement | None:
        if element.VR == "SQ":
            return self._items(element)
        if element.VR != "UI":
            return None
        known = well_known_uids()
        uids = [str(uid) for uid in values_of(element.value)]
        return _made(element, [uid if uid in known else new_uid(uid, self.key) for uid in uids])

    def _cleaned(self, element: DataElement) -> DataElement | None:
        if element.VR == "SQ":
            return self._items(element)
        if element.VR in ("DA", "DT", "TM"):
            return self._shifted(element)
        if element.VR == "AE":
            return _made(
                element, ["AE" + (pseudonym(str(element.value), self.key, "ae") or "")[:8]]
            )
        if element.VR in ("LO", "LT", "SH", "ST", "UC", "UT"):
            words = (cleaned_words(str(text)) for text in values_of(element.value))
            return _made(element, [text for text in words if text])
        return self._by_value(element)

    def _shifted(self, element: DataElement) -> DataElement | None:
        """Dates that are dates, moved (by no day where they are kept); other text goes."""
        if self.days is None:
            return None
        if element.VR == "TM":  # whole days are added: the time of day is the same
            times = [str(text).strip() for text in values_of(element.value)]
            return _made(element, [text for text in times if dates.is_time(text)])
        move = dates.shift_date if element.VR == "DA" else dates.shift_datetime
        moved = (move(str(text), self.days) for text in values_of(element.value))
        return _made(element, [text for text in moved if text is not None])

    def _kept(self, element: DataElement) -> DataElement | None:
        """What the table lets stay; of a patient, in strict use, by its value only."""
        rule = rule_of(int(element.tag))
        of_patient = rule is not None and rule.options.get("patient") == "K"
        if element.tag == _AGE:
            age = dates.age_string(str(element.value or ""))
            return None if age is None else DataElement(_AGE, "AS", age)
        if self.options.strict and element.VR in ("DA", "DT", "TM"):
            return self._shifted(element)
        if self.options.strict and of_patient:
            return self._by_value(element)
        return self._as_it_is(element)

    def _as_it_is(self, element: DataElement) -> DataElement | None:
        if element.VR == "SQ":
            return self._items(element)
        return DataElement(element.tag, element.VR, element.value)

    def _items(self, element: DataElement) -> DataElement:
        return DataElement(element.tag, "SQ", [self.apply(item) for item in element.value])

    def _by_value(self, element: DataElement) -> DataElement | None:
        """An element that the table does not list, where its value names nobody."""
        vr, tag = element.VR, element.tag
        keyword = keyword_for_tag(tag)
        if not tag.is_private and not dictionary_has_tag(tag):
            return None
        if vr == "SQ":
            return self._items(element)
        if vr == "UI":
            return self._as_it_is(element) if self.options.uids else self._with_new_uids(element)
        if vr in NUMBERS:
            return _numbers(element)
        if vr in ("DA", "DT", "TM"):
            return self._shifted(element)
        if keyword in BINARIES:
            return DataElement(tag, vr, element.value)
        if int(tag) in (_CODE, _SCHEME):
            return DataElement(tag, vr, str(element.value))  # judged with the whole item
        terms = kept_terms(keyword, element.value)
        return _made(element, terms) if terms else None

    def _private(self, ds: Dataset, tag: BaseTag) -> DataElement | None:
        """Blocks of safe attributes keep their creator; all other private elements go."""
        if not self.options.safe_private:
            return None
        safe = safe_private()
        if tag.element < 0x100:
            creator = _text(ds, int(tag)) or ""
            known = any(group == tag.group and name == creator for group, _, name in safe)
            return DataElement(tag, "LO", creator) if known else None
        creator = _text(ds, int(Tag(tag.group, tag.element >> 8))) or ""
        if (tag.group, tag.element & 0xFF, creator) not in safe:
            return None
        return self._by_value(ds[tag])


def _without_local_codes(clean: Dataset) -> Dataset:
    """Codes of public schemes stay, their meaning replaced by the code; others go."""
    if _CODE not in clean and _SCHEME not in clean:
        return clean
    code, scheme = (_text(clean, tag) or "" for tag in (_CODE, _SCHEME))
    for tag in (_CODE, _SCHEME, _MEANING):
        clean.pop(tag, None)
    if is_public_code(code, scheme):
        for tag, vr, text in ((_CODE, "SH", code), (_SCHEME, "SH", scheme), (_MEANING, "LO", code)):
            clean[tag] = DataElement(tag, vr, text)
    return clean


def _fill_age(ds: Dataset, clean: Dataset, options: ProfileOptions) -> None:
    """The age from the dates that go, where ages stay and none is given."""
    if not options.patient or _AGE in clean:
        return
    seen = _text(ds, _STUDY_DATE) or _text(ds, _SEEN)
    age = dates.age_string(None, _text(ds, _BORN), seen)
    if age is not None:
        clean[_AGE] = DataElement(_AGE, "AS", age)


def _numbers(element: DataElement) -> DataElement | None:
    values = kept_numbers(element.value)
    if values is None:
        return None
    if element.VR == "DS":
        values = [plain_decimal(item) for item in values]
    elif element.VR == "IS":
        values = [str(int(item)) for item in values]
    return _made(element, values)


def _made(element: DataElement, values: list[Any]) -> DataElement:
    """The element with other values: none, one, or several."""
    value = None if not values else values[0] if len(values) == 1 else values
    return DataElement(element.tag, element.VR, value)


def _text(ds: Dataset, tag: int) -> str | None:
    """The value as stripped text, None where it is missing, empty or unreadable."""
    try:
        value = ds[tag].value if tag in ds else None
        return None if value is None else str(value).strip(" \0") or None
    except Exception:
        return None
