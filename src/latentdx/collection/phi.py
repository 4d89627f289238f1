"""`search_phi`: look for known names, and for what looks like identifiers, in our own outputs."""

from __future__ import annotations

import mmap
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latentdx.collection.phi_patterns import Severity, looks_like, plain, spellings
from latentdx.core.errors import StopError

_TEXTS = frozenset(
    {".json", ".jsonl", ".csv", ".html", ".htm", ".toml", ".md", ".txt", ".log", ".xml", ".yaml",
     ".yml", ".svg", ".tsv"}
)  # fmt: skip
# The last is that of numpy's text arrays.
_ENCODINGS = ("utf-8", "latin-1", "utf-16-le", "utf-16-be", "utf-32-le")
_CHUNK = 8 << 20
_SHORTEST = 3
_MOST_BYTES = 1 << 30  # of one member of an archive
_MOST_EACH = 20  # findings of one kind in one place


@dataclass(frozen=True)
class Finding:
    """One place where an identifier is, or may be; never the identifier itself.

    Attributes
    ----------
    kind: ``name`` (one of those given), ``person-name``, ``uid``, ``date``, ``e-mail``, ``phone``
        (by their looks), or ``unread`` (a file that could not be searched).
    severity: ``error`` for a given name; ``warning`` or ``info`` for looks.
    path: the file, relative to the folder; names given are blacked out in it.
    where: ``bytes``, ``text``, ``file name``, ``member 2``, ``version 3 column path`` ...
    offset: bytes (or characters, or the row of a column) from the start.
    name: number of the name in the list given, from 1; None where it is not one of them.
    """

    kind: str
    severity: Severity
    path: str
    where: str
    offset: int
    name: int | None = None


def search_phi(folder: Path, names: Sequence[str] = ()) -> list[Finding]:
    """Search every file of a folder, and the contents of collections and archives in it.

    Names are looked for in any case and in several spellings, in the bytes of every file (UTF-8,
    Latin-1, UTF-16, UTF-32), in text with the escapes of JSON and HTML resolved, in the members of
    ``.npz`` and zip files, and in all text columns of all versions of Lance datasets, which store
    them compressed. Looks (see `latentdx.collection.phi_patterns`) are searched in text only;
    images embedded in HTML are skipped, and pictures are not read: see `latentdx.scans.burned_in`.
    Names of fewer than three characters are not looked for. Links are not followed.

    Raises `StopError` ``E_IO`` where the folder is not there.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     _ = (Path(name) / "log.txt").write_text("stored DOE^JANE")
    ...     for found in search_phi(Path(name), ["Doe^Jane"]):
    ...         print(found.kind, found.severity, found.path, found.where, found.offset, found.name)
    name error log.txt bytes 7 1
    person-name warning log.txt text 7 None
    """
    if not folder.is_dir():
        raise StopError("E_IO", "there is no such folder", path=folder)
    search = _Search(names)
    found: list[Finding] = []
    for path in sorted(folder.rglob("*")):
        shown = search.shown(path.relative_to(folder).as_posix())
        for number, place in search.in_text(path.name):
            found.append(Finding("name", "error", shown, "file name", place, number))
        if path.is_symlink():
            continue
        if path.is_file():
            found += search.file(path, shown)
        elif (path / "_versions").is_dir():
            found += search.dataset(path, shown)
    if (folder / "_versions").is_dir():
        found += search.dataset(folder, ".")
    return list(dict.fromkeys(found))


class _Search:
    """The names, ready to be looked for."""

    def __init__(self, names: Sequence[str]) -> None:
        self.texts: dict[str, int] = {}
        for number, name in enumerate(names, 1):
            for text in spellings(name):
                if len(text) >= _SHORTEST:
                    self.texts.setdefault(text.lower(), number)
        self.needles: dict[bytes, int] = {}
        for text, number in self.texts.items():
            for form in (text, text.upper()):  # bytes know upper and lower case of ASCII only
                for encoding in _ENCODINGS:
                    try:
                        self.needles.setdefault(form.encode(encoding).lower(), number)
                    except UnicodeEncodeError:
                        continue
        self.longest = max((len(needle) for needle in self.needles), default=1)

    def shown(self, path: str) -> str:
        """A path with the names in it blacked out."""
        for text, number in self.texts.items():
            while (place := path.lower().find(text)) >= 0:
                path = f"{path[:place]}[name {number}]{path[place + len(text) :]}"
        return path

    def in_text(self, text: str) -> Iterator[tuple[int, int]]:
        """(number, place) of each name in a text, the first of each."""
        low = text.lower()
        for name, number in self.texts.items():
            if (place := low.find(name)) >= 0:
                yield number, place

    def file(self, path: Path, shown: str) -> Iterator[Finding]:
        try:
            with path.open("rb") as file:
                if not path.stat().st_size:
                    return
                with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                    yield from self.blob(data, shown, "bytes")
                    is_text = path.suffix.lower() in _TEXTS
                    header = _safetensors_header(data) if path.suffix == ".safetensors" else b""
                    if is_text or header:
                        yield from self.text(_decoded(header or bytes(data)), shown, "text")
            if zipfile.is_zipfile(path):
                yield from self.archive(path, shown)
        except (OSError, ValueError, zipfile.BadZipFile):
            yield Finding("unread", "warning", shown, "bytes", 0)

    def blob(self, data: Any, shown: str, where: str) -> Iterator[Finding]:
        """Names in bytes, in pieces that overlap by the longest of them."""
        for start in range(0, len(data), _CHUNK):
            piece = data[start : start + _CHUNK + self.longest - 1].lower()
            for needle, number in self.needles.items():
                place, count = piece.find(needle), 0
                while place >= 0 and count < _MOST_EACH:
                    yield Finding("name", "error", shown, where, start + place, number)
                    place, count = piece.find(needle, place + 1), count + 1

    def text(self, text: str, shown: str, where: str) -> Iterator[Finding]:
        """Names that only show with escapes resolved, and what looks like an identifier."""
        resolved = plain(text)
        if resolved != text:
            for number, place in self.in_text(resolved):
                yield Finding("name", "error", shown, where, place, number)
        counts: dict[str, int] = {}
        for kind, severity, place in looks_like(resolved):
            counts[kind] = counts.get(kind, 0) + 1
            if counts[kind] <= _MOST_EACH:
                yield Finding(kind, severity, shown, where, place)

    def archive(self, path: Path, shown: str) -> Iterator[Finding]:
        with zipfile.ZipFile(path) as archive:
            for index, member in enumerate(archive.infolist(), 1):
                where = f"member {index}"
                for number, place in self.in_text(member.filename):
                    yield Finding("name", "error", shown, f"{where} name", place, number)
                if member.file_size > _MOST_BYTES:
                    yield Finding("unread", "warning", shown, where, 0)
                    continue
                yield from self.blob(archive.read(member), shown, where)

    def dataset(self, path: Path, shown: str) -> Iterator[Finding]:
        """All versions of a Lance dataset: what was deleted is still there."""
        import lance

        try:
            newest = lance.dataset(path)
            versions = [int(entry["version"]) for entry in newest.versions()]
            for version in versions:
                yield from self._version(lance.dataset(path, version=version), shown, version)
        except (KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError):
            raise
        except BaseException:  # Lance's Rust code may panic
            yield Finding("unread", "warning", shown, "dataset", 0)

    def _version(self, dataset: Any, shown: str, version: int) -> Iterator[Finding]:
        schema = dataset.schema
        head = (schema.metadata or {}).items()
        yield from self._values(
            (_decoded(part) for pair in head for part in pair), shown, f"version {version} schema"
        )
        columns = [field.name for field in schema if _may_hold_text(str(field.type))]
        for name in columns:
            start = 0
            for batch in dataset.to_batches(columns=[name]):
                where = f"version {version} column {name}"
                yield from self._values(map(str, batch.column(0).to_pylist()), shown, where, start)
                start += len(batch)

    def _values(
        self, values: Iterable[str], shown: str, where: str, start: int = 0
    ) -> Iterator[Finding]:
        """Findings in texts of their own, `offset` counting the texts."""
        seen: dict[tuple[str, int | None], int] = {}
        for index, value in enumerate(values, start):
            text = plain(value)
            found = [
                Finding("name", "error", shown, where, index, n) for n, _ in self.in_text(text)
            ]
            found += [Finding(kind, how, shown, where, index) for kind, how, _ in looks_like(text)]
            for item in found:
                key = item.kind, item.name
                seen[key] = seen.get(key, 0) + 1
                if seen[key] <= _MOST_EACH:
                    yield item


def _may_hold_text(kind: str) -> bool:
    return "string" in kind or kind in ("binary", "large_binary", "json")


def _decoded(data: bytes) -> str:
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return data.decode("utf-16", "replace")
    return data.decode("utf-8", "replace")


def _safetensors_header(data: Any) -> bytes:
    """The JSON at the start of a safetensors file: 8 bytes of length, then the text."""
    length = int.from_bytes(data[:8], "little")
    return bytes(data[8 : 8 + length]) if 0 < length <= len(data) - 8 else b""
