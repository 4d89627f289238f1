"""Options that say how an autoencoder learns, and how their values are read."""

from __future__ import annotations

from typing import Annotated, Any

import typer

ObjectiveOption = Annotated[
    list[str] | None,
    typer.Option(
        "--objective",
        help="Learn this beside reconstruction, too: vicreg, local-vicreg, barlow, contrastive, "
        "latent-prediction, rotation, position, perceptual or adversarial; with the scans' sites "
        "domain-adversarial, deep-coral or mmd; NAME or NAME=WEIGHT. Repeatable.",
    ),
]

DomainOption = Annotated[
    str | None,
    typer.Option(
        "--domain",
        help="With --objective domain-adversarial, deep-coral or mmd: the column whose values the "
        "encoder is not to tell apart (default: site).",
    ),
]

ViewsOption = Annotated[
    str | None,
    typer.Option(
        "--views",
        help="For sites that are not there yet: scans are shown with a share of the amplitudes "
        "(fourier) or grey levels (style) of other scans of the batch while the autoencoder "
        "learns: fourier, style, or fourier,style. Default: none.",
    ),
]

FocusOption = Annotated[
    str | None,
    typer.Option(
        "--focus",
        help="Reconstruction errors outside the body or the lungs (body, lung: rules of thumb on "
        "each scan) or outside your own masks (mask) count less. Default: all pixels alike.",
    ),
]


def objectives(given: list[str] | None) -> dict[str, float]:
    """``NAME`` or ``NAME=WEIGHT``, with an objective's own weight where none is given.

    Raises `StopError` ``E_NAME``, ``E_CONFIG``.
    """
    if not given:
        return {}
    from latentdx.autoencoder.objectives.names import own_weight
    from latentdx.core.errors import StopError

    found = {}
    for text in given:
        name, mark, weight = text.partition("=")
        try:
            found[name] = float(weight) if mark else own_weight(name)
        except ValueError:
            fix = "write --objective NAME=WEIGHT"
            raise StopError("E_CONFIG", f"{weight!r} is no weight", fix=fix) from None
    return found


def network(given: list[str] | None) -> dict[str, Any]:
    """``KEY=VALUE`` pairs, values as JSON or else as text. Raises `StopError` ``E_CONFIG``."""
    import json

    from latentdx.core.errors import StopError

    found: dict[str, Any] = {}
    for text in given or []:
        name, mark, value = text.partition("=")
        if not mark:
            fix = "write --network KEY=VALUE"
            raise StopError("E_CONFIG", f"{text!r} is no pair", fix=fix)
        try:
            found[name] = json.loads(value)
        except ValueError:
            found[name] = value
    return found
