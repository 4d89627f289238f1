"""`Told`: what a DICOM data set says, by keyword, read only when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydicom.tag import BaseTag, Tag

from latentdx.core.errors import InputError


@dataclass(frozen=True)
class Told:
    """A pydicom data set behind a `get` that costs nothing for what is absent.

    pydicom looks up the keyword and raises an exception inside for every absent element: for the
    dozens of optional ones that an image is asked for, this takes longer than windowing it.

    Attributes
    ----------
    ds: the pydicom data set.
    syntax: its transfer syntax, a pydicom UID.
    little: whether its numbers are little endian.
    tags: by keyword; no other keyword can be asked for.
    present: tags of all elements of the file, group << 16 | element.
    """

    ds: Any
    syntax: Any
    little: bool
    tags: dict[str, BaseTag]
    present: tuple[int, ...] = ()

    def get(self, keyword: str, default: Any = None) -> Any:
        """The value of an element. Raises `InputError` ``E_DECODE`` where it cannot be read."""
        tag = self.tags[keyword]
        if tag not in self.ds.keys():  # noqa: SIM118 (`in ds` makes a tag anew)
            return default
        return self._element(keyword).value

    def holds(self, keyword: str) -> bool:
        """Whether the element is there, empty or not."""
        return self.tags[keyword] in self.ds.keys()  # noqa: SIM118

    def is_words(self, keyword: str) -> bool:
        """Whether an element that is there holds 16-bit words (value representation OW)."""
        return bool(self._element(keyword).VR == "OW")

    def _element(self, keyword: str) -> Any:
        try:
            return self.ds[self.tags[keyword]]
        except Exception as error:  # pydicom raises many kinds, whose words may quote the value
            raise InputError(
                "E_DECODE",
                f"the element {keyword} cannot be read ({type(error).__name__})",
                fix="the header is damaged: export the image again",
            ) from None


def tags_of(*keywords: str) -> dict[str, BaseTag]:
    """The tags of DICOM keywords.

    Examples
    --------
    >>> str(tags_of("Rows")["Rows"])
    '(0028,0010)'
    """
    return {keyword: Tag(keyword) for keyword in keywords}
