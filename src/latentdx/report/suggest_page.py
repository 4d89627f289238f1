"""`suggest_page`: the scans worth a label next, as pictures for whoever labels them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentdx.report.card import count
from latentdx.report.pictures import planes, png
from latentdx.report.template import template


@dataclass(frozen=True)
class Proposal:
    """One suggested scan: pixels float32 (C, *spatial) in 0..1, `guess` None if there is none."""

    rank: int
    path: str
    why: str
    guess: str | None
    confidence: float | None
    pixels: NDArray[np.float32]


@dataclass(frozen=True)
class SuggestContent:
    """What the page shows: the collection's name, how the scans were chosen, and the scans."""

    name: str
    strategy: str
    n_labelled: int
    proposals: Sequence[Proposal]


class _Shown(NamedTuple):
    proposal: Proposal
    image: str


def suggest_page(content: SuggestContent) -> str:
    """The whole page, self-contained: it runs no script and asks nothing of any network.

    The same content gives the same text. Names are escaped. Guesses are folded away: whoever reads
    them first labels less freely.

    Examples
    --------
    >>> scan = Proposal(1, "a<b.png", "drawn by lot", None, None, np.zeros((1, 8, 8), np.float32))
    >>> "a&lt;b.png" in suggest_page(SuggestContent("scans", "random", 0, [scan]))
    True
    """
    shown = [_Shown(item, png(planes(item.pixels))) for item in content.proposals]
    text = template("suggest.html.j2", count=count).render(content=content, shown=shown)
    return text.encode("utf-8", "replace").decode("utf-8")
