"""`in_language`: a finished page in another language, sentence by sentence.

Pages are written in English. Their text is looked up in a catalogue, as gettext does it: by the
English sentence, in which ``{}`` stands for what differs. What has no entry stays, marked as
English for screen readers. Names of scans, labels and columns stay as they are.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from html.parser import HTMLParser
from importlib.resources import files
from typing import Literal, NamedTuple

from latentdx.core.errors import StopError

Language = Literal["en", "zh"]
TAGS: Mapping[Language, str] = {"en": "en", "zh": "zh-Hans"}
"""What the page's ``lang`` says."""

_INLINE = frozenset(("b", "code", "em", "s", "strong"))
_VOID = frozenset(("img", "link", "meta"))
_SPOKEN = re.compile(r'(?<= )(alt|aria-label|title)="([^"]*)"')
_ENDS = re.compile(r"(?<=[.?!:]) (?=[A-Z\u201c<])")
_TAG = re.compile(r"</?(?:b|code|em|s|strong)\b[^>]*>")
_WRAPPED = re.compile(r"(<(b|code|em|s|strong)\b[^>]*>)(.*)</\2>", re.DOTALL)
_GAP = re.compile(r"\{t?\}")
_FILLED = r"((?:(?!\. [A-Z]).)+?)"
"""What fills a gap: no second sentence."""
_FEWEST = 3
_WORDS = re.compile(r"[a-z]{2,}")
_CODE = re.compile(r"<code>.*?</code>|[\u201c'][^\u201d']*[\u201d']|&\w+;|\{\}")


class Rule(NamedTuple):
    """A sentence with gaps, which of them hold terms, and what it becomes."""

    pattern: re.Pattern[str]
    of_terms: tuple[bool, ...]
    text: str


class Terms(NamedTuple):
    """Names of methods and metrics. One stands alone, in a list, or before a number."""

    pattern: re.Pattern[str]
    names: Mapping[str, str]

    def told(self, text: str) -> str:
        """The text with its terms in the language."""
        return self.pattern.sub(lambda found: self.names[found[0]], text)


class Catalogue(NamedTuple):
    """Whole sentences, sentences with gaps, terms, and terms that may only fill a gap, too."""

    sentences: Mapping[str, str]
    rules: tuple[Rule, ...]
    terms: Terms
    in_gaps: Terms


def language_of(name: str | None) -> Language:
    """A language by its name; English by default. Raises `StopError` ``E_OPTION``."""
    known: dict[str, Language] = {"en": "en", "zh": "zh"}
    if name is not None and name not in known:
        raise StopError("E_OPTION", f"--language {name!r}", fix="give en or zh")
    return known[name or "en"]


def in_language(page: str, language: Language) -> str:
    """An English page of latentdx in `language`; names and numbers stay as they are.

    Examples
    --------
    >>> in_language('<html lang="en"><p>Result</p><td>scan_7.png</td></html>', "zh")
    '<html lang="zh-Hans"><p>结果</p><td>scan_7.png</td></html>'
    """
    return page if language == "en" else _read(page, language).text()


def not_translated(page: str, language: Language) -> list[str]:
    """What of a page has no entry and looks like a sentence or a title: three words or more.

    Examples
    --------
    >>> not_translated("<p>Result</p><p>Nobody has written this down.</p>", "zh")
    ['Nobody has written this down.']
    """
    return _read(page, language).missing


def _read(page: str, language: Language) -> _Page:
    found = _Page(language)
    found.feed(page)
    found.close()
    return found


@cache
def _catalogue(language: Language) -> Catalogue:
    text = (files("latentdx.report") / f"words-{language}.toml").read_text(encoding="utf-8")
    told = tomllib.loads(text)
    counted = told.pop("counted")
    sentences = {key: text for part in told.values() for key, text in part.items()}
    gaps = sorted(filter(_GAP.search, sentences), key=len, reverse=True)
    terms = {key: text for key, text in told["terms"].items() if not _GAP.search(key)}
    rules = tuple(_rule(key, sentences[key]) for key in gaps)
    return Catalogue(sentences, rules, _terms(terms), _terms(terms | counted))


def _rule(key: str, text: str) -> Rule:
    pattern = _FILLED.join(map(re.escape, _GAP.split(key)))
    return Rule(re.compile(pattern), tuple(gap == "{t}" for gap in _GAP.findall(key)), text)


def _terms(names: Mapping[str, str]) -> Terms:
    either = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
    return Terms(re.compile(rf"(?:(?<=, )|(?<![^,]))(?:{either})(?=$|, | +[\d(])"), names)


class _Page(HTMLParser):
    """Reads a page and collects it again, its text translated."""

    def __init__(self, language: Language) -> None:
        super().__init__(convert_charrefs=False)
        self.language: Language = language
        self.missing: list[str] = []
        self._out: list[str] = []
        self._unit: list[str] = []
        self._open: list[tuple[str, bool]] = []

    def text(self) -> str:
        """The page that was read."""
        return "".join(self._out)

    def close(self) -> None:
        super().close()
        self._flush()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        raw = self.get_starttag_text() or ""
        kept = self._is_kept() or tag == "style" or ("translate", "no") in attrs
        if tag in _INLINE:
            self._unit.append(raw)
            return
        self._flush()
        if tag not in _VOID:
            self._open.append((tag, kept))
        if tag == "html":
            raw = raw.replace('lang="en"', f'lang="{TAGS[self.language]}"')
        self._out.append(raw if kept else _SPOKEN.sub(self._attribute, raw))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._flush()
        self._out.append(self.get_starttag_text() or "")

    def handle_endtag(self, tag: str) -> None:
        if tag in _INLINE:
            self._unit.append(f"</{tag}>")
            return
        self._flush()
        self._open.pop()
        self._out.append(f"</{self._cased(tag)}>")

    def handle_data(self, data: str) -> None:
        self._unit.append(data)

    def handle_entityref(self, name: str) -> None:
        self._unit.append(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self._unit.append(f"&#{name};")

    def handle_comment(self, data: str) -> None:
        self._flush()

    def handle_decl(self, decl: str) -> None:
        self._out.append(f"<!{decl}>")

    def _cased(self, tag: str) -> str:
        return {"clippath": "clipPath", "lineargradient": "linearGradient"}.get(tag, tag)

    def _is_kept(self) -> bool:
        return bool(self._open) and self._open[-1][1]

    def _flush(self) -> None:
        whole, self._unit = "".join(self._unit), []
        bare = whole.strip()
        if self._is_kept() or not bare:
            self._out.append(whole)
            return
        start = whole.index(bare)
        said = self._translated(bare, marked=not self._is_drawn())
        self._out += [whole[:start], said, whole[start + len(bare) :]]

    def _is_drawn(self) -> bool:
        return any(tag in ("svg", "title") for tag, _ in self._open)

    def _attribute(self, found: re.Match[str]) -> str:
        said = self._translated(found[2], marked=False)
        return f'{found[1]}="{said.replace(chr(34), "&#34;")}"'

    def _translated(self, bare: str, *, marked: bool) -> str:
        """Text with its inline tags; what stays English is `marked` so, or not."""
        if (whole := _WRAPPED.fullmatch(bare)) and f"<{whole[2]}" not in whole[3]:
            if whole[2] == "code":
                return bare
            return f"{whole[1]}{self._translated(whole[3], marked=marked)}</{whole[2]}>"
        tags = iter(_TAG.findall(bare))
        plain = _TAG.sub(lambda found: re.sub(r"\s[^>]*", "", found[0]), bare)
        plain = " ".join(plain.replace("&#39;", "'").replace("&#34;", '"').split())
        said = "".join(self._sentences(plain, marked=marked))
        return _TAG.sub(lambda found: next(tags, found[0]), said)

    def _sentences(self, plain: str, *, marked: bool) -> Iterator[str]:
        """The longest runs of sentences that the catalogue knows, else the sentence itself."""
        pieces, at = _ENDS.split(plain), 0
        while at < len(pieces):
            for end in range(len(pieces), at, -1):
                said = looked_up(" ".join(pieces[at:end]), self.language)
                if said is not None:
                    break
            else:
                end, said = at + 1, self._stays(pieces[at], marked=marked)
            yield said
            at = end

    def _stays(self, piece: str, *, marked: bool) -> str:
        if not _is_sentence(piece):
            return piece
        self.missing.append(piece)
        return f'<span lang="en">{piece}</span>' if marked else piece


def _is_sentence(text: str) -> bool:
    return len(_WORDS.findall(_CODE.sub(" ", text))) >= _FEWEST


def looked_up(sentence: str, language: Language) -> str | None:
    """One sentence in the language, or None where the catalogue has none.

    Examples
    --------
    >>> looked_up("probability of sick: 0.42", "zh")
    'sick 的概率：0.42'
    """
    told = _catalogue(language)
    if (said := told.sentences.get(sentence)) is not None:
        return said
    for rule in told.rules:
        if found := rule.pattern.fullmatch(sentence):
            both = zip(found.groups(), rule.of_terms, strict=True)
            return rule.text.format(
                *(told.in_gaps.told(text) if of_terms else text for text, of_terms in both)
            )
    said = told.terms.told(sentence)
    return said if said != sentence and not _is_sentence(said) else None
