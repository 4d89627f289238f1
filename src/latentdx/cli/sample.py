"""``latentdx sample``: a picture of scans drawn from an autoencoder's prior."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from latentdx.cli import options

HELP = """Draw scans from a generative autoencoder and write them side by side as a PNG.

They show what the autoencoder has learned and are scans of nobody. Yet they can resemble scans that
it was trained on: treat the picture as patient data, and train no diagnosis on it.

With --interpolate two scans are read (for a bundle as its own scans were, for an encoder in the
way that is the default), and what lies between them is decoded; the two ends are reconstructions,
not the scans themselves.

Examples:

  latentdx pretrain collection --to encoder --autoencoder variational

  latentdx sample encoder --out drawn.png --count 25

  latentdx sample encoder --out between.png --interpolate a.dcm b.dcm
"""

_COUNT, _STEPS = 16, 8
_TOLD = "Synthetic, by latentdx: no scan of anyone. It can resemble scans of the training: "
_TOLD += "treat it as patient data."


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="sample", help=HELP)(sample)


def sample(
    encoder: Annotated[Path, typer.Argument(help="Folder of the encoder, or of a bundle.")],
    out: Annotated[Path, typer.Option("--out", help="The picture, a .png; replaced if there.")],
    count: Annotated[
        int | None, typer.Option("--count", help="Scans to draw: 16.", min=1, max=1024)
    ] = None,
    columns: Annotated[
        int | None, typer.Option("--columns", help="Scans in a row.", min=1, max=1024)
    ] = None,
    interpolate: Annotated[
        tuple[Path, Path] | None,
        typer.Option("--interpolate", metavar="SCAN SCAN", help="Decode between two scans."),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps", help="With --interpolate: decodings, ends included: 8.", min=2, max=1024
        ),
    ] = None,
    seed: options.SeedOption = 0,
    as_json: options.JsonFlag = False,
) -> None:
    """See `HELP`."""
    import json

    from latentdx.core.files import write_atomic
    from latentdx.report.grid import picture_grid
    from latentdx.study.synthetic import load_generative

    _check(out, count, interpolate, steps)
    found = load_generative(encoder)
    if interpolate is None:
        pixels = found.draw(count or _COUNT, seed=seed)
        said = f"{len(pixels)} scans drawn from {found.name} (seed {seed}): {out}"
    else:
        pixels = found.between(*interpolate, steps or _STEPS)
        columns = columns or (len(pixels) if found.network.dims == 2 else 1)
        said = (
            f"{len(pixels)} decodings by {found.name} between {' and '.join(map(str, interpolate))}"
        )
        said += f", reconstructions at both ends: {out}"
    write_atomic(out, picture_grid(pixels, columns, told=_TOLD))
    told = {"path": str(out), "count": len(pixels), "autoencoder": found.name}
    typer.echo(json.dumps(told) if as_json else f"{said}\n{_TOLD}")


def _check(
    out: Path, count: int | None, interpolate: tuple[Path, Path] | None, steps: int | None
) -> None:
    """Refuse what cannot end well before anything is loaded. Raises `StopError`."""
    from latentdx.core.errors import StopError

    if out.suffix.lower() != ".png":
        raise StopError("E_OPTION", f"--out {out} is no .png", fix="give a name that ends in .png")
    if out.is_dir() or not out.parent.is_dir():
        found = "is a folder" if out.is_dir() else "lies in a folder that does not exist"
        raise StopError("E_DESTINATION", found, fix="choose another --out", path=out)
    if interpolate is not None and count is not None:
        fix = "give --steps with --interpolate"
        raise StopError("E_OPTION", "both --count and --interpolate", fix=fix)
    if interpolate is None and steps is not None:
        raise StopError("E_OPTION", "--steps without --interpolate", fix="give --count instead")
