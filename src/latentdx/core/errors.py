"""The errors that latentdx raises, as one small tree.

    LatentdxError            anything that latentdx itself refuses; never a bug
    |-- InputError           one file or one row cannot be used: it is quarantined, the others go on
    |-- StopError            the run cannot go on: options, labels, classes, patients
    |-- LeakageError         a score would be invalid: parts share patients or scans
    `-- IntegrityError       an artefact (bundle, checkpoint, collection) is damaged or does not fit

Each carries a stable code, the file it speaks of, what was found, and what to do. No message may
hold a patient's data: the path of a file is allowed, the value of a tag is not.
"""

from __future__ import annotations

from pathlib import Path

from latentdx.core.remedies import REMEDIES


class LatentdxError(Exception):
    """What latentdx refuses, with a stable code and a way out.

    Parameters
    ----------
    code: stable identifier such as ``E_TRUNCATED``; tests and scripts may rely on it.
    found: what was found, in plain words.
    fix: what the user can do about it; unless said, what `REMEDIES` says of the code.
    path: the file (or folder) it is about.

    Examples
    --------
    >>> print(InputError("E_EMPTY", "the file has no bytes", fix="copy it again", path="a.dcm"))
    E_EMPTY a.dcm: the file has no bytes; copy it again
    """

    def __init__(
        self, code: str, found: str, *, fix: str = "", path: str | Path | None = None
    ) -> None:
        self.code = code
        self.found = found
        self.fix = fix = fix or REMEDIES.get(code, "")
        self.path = None if path is None else str(path)
        super().__init__(code, found, fix, self.path)

    def __str__(self) -> str:
        where = f" {self.path}" if self.path else ""
        fix = f"; {self.fix}" if self.fix else ""
        return f"{self.code}{where}: {self.found}{fix}"


class InputError(LatentdxError):
    """One file or one row cannot be used: it goes to ``quarantine.csv``, the batch goes on."""


class StopError(LatentdxError):
    """The run cannot go on with these options, labels, classes or patients."""


class LeakageError(LatentdxError):
    """A score would be invalid: parts that must be disjoint share patients or scans."""


class IntegrityError(LatentdxError):
    """A bundle, checkpoint or collection is damaged, too new, or made from something else."""
