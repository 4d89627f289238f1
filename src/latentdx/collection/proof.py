"""`write_proof`: a file that says how scans were de-identified, for those who must show it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from latentdx.collection.phi import Finding
from latentdx.core.errors import StopError
from latentdx.core.files import write_json
from latentdx.core.version import VERSION

PROOF_NAME = "deidentification.json"

KEPT = {
    "patient, study, series, site": "keyed pseudonyms (BLAKE2b), 16 hexadecimal digits",
    "modality": "a defined term of PS3.3 C.7.3.1.1.1, else nothing",
    "view": "a defined term of PS3.3 C.8.1 or C.8.11.7, else nothing",
    "sex": "M, F or O, else nothing",
    "age_years": "whole years, 90 for all ages from 90 on",
    "manufacturer": "one of a list of makers, else a keyed pseudonym",
    "acquired": "a date moved by a secret number of days, the same for all scans of a patient",
    "spacing_mm, native_shape": "numbers",
    "pixels": "decoded values only; text in them is refused or masked as the settings say",
}
"""What is stored of a scan, and how it is made sure that it names nobody."""

_WORDS = {
    "X": "removed", "Z": "emptied or pseudonym", "D": "dummy or pseudonym", "U": "new UID",
    "K": "kept by value", "C": "cleaned or shifted", "": "kept by value, else removed",
}  # fmt: skip


def key_fingerprint(key: bytes) -> str:
    """Sixteen hex digits that tell keys apart and lead back to none.

    Examples
    --------
    >>> len(key_fingerprint(b"k" * 32))
    16
    """
    return hashlib.blake2b(b"fingerprint", key=key, digest_size=8, person=b"proof").hexdigest()


def write_proof(
    path: Path,
    *,
    present: Counter[int],
    n_scans: int,
    key: bytes,
    findings: Sequence[Finding] | None = None,
    more: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Write `path` (a folder gets `PROOF_NAME` in it) and return what was written.

    Parameters
    ----------
    present: in how many files each tag (group << 16 | element) was present.
    n_scans: scans that were stored.
    key: of the pseudonyms; only its fingerprint is written.
    findings: of a search of the output (`latentdx.collection.phi.search_phi`), None where none
        was made.
    more: what else the writer wants to say, JSON (the policy for burned-in text, counts of
        refused files, whether an identity map is kept); it must hold no identifier.

    Raises `StopError` ``E_IO``.
    """
    from latentdx.scans.profile import action_for
    from latentdx.scans.profile_options import INGEST, METHOD
    from latentdx.scans.profile_table import EDITION

    active = INGEST.active
    proof: dict[str, Any] = {
        "profile": EDITION,
        "method": METHOD,
        "latentdx": VERSION,
        "options": {"active": sorted(active), "dates": INGEST.dates, "strict": INGEST.strict},
        "kept": KEPT,
        "header": "no header is stored: only the fields under 'kept' are",
        "n_scans": n_scans,
        "key_fingerprint": key_fingerprint(key),
        "attributes": [
            _attribute(tag, count, action_for(tag, active))
            for tag, count in sorted(present.items())
        ],
        "search": _told(findings),
        **(more or {}),
    }
    target = path / PROOF_NAME if path.is_dir() else path
    try:
        write_json(target, proof)
    except OSError as error:
        raise StopError("E_IO", f"cannot be written: {error.strerror}", path=target) from None
    return proof


def renew_proof(path: Path, *, present: Counter[int], n_scans: int, refused: Sequence[str]) -> str:
    """The text of the proof at `path` with the numbers of what is stored now; as `write_proof`.

    `refused`: the code of each file that was set aside.
    """
    from latentdx.scans.profile import action_for
    from latentdx.scans.profile_options import INGEST

    proof = json.loads(path.read_text(encoding="utf-8"))
    proof["n_scans"], proof["refused"] = n_scans, dict(sorted(Counter(refused).items()))
    proof["attributes"] = [
        _attribute(tag, count, action_for(tag, INGEST.active))
        for tag, count in sorted(present.items())
    ]
    return json.dumps(proof, indent=2, allow_nan=False) + "\n"


def _attribute(tag: int, count: int, action: str) -> dict[str, Any]:
    from pydicom.datadict import keyword_for_tag

    # The number of a private tag is a maker's choice: it tells nothing of a patient.
    keyword = "private" if tag >> 16 & 1 else keyword_for_tag(tag)
    word = _WORDS[action]
    return {"tag": f"{tag:08X}", "keyword": keyword, "action": word, "files": count}


def _told(findings: Sequence[Finding] | None) -> dict[str, Any] | None:
    """Counts only: a finding's file may lie where an identifier is."""
    if findings is None:
        return None
    counts = Counter(f"{found.severity}: {found.kind}" for found in findings)
    return {"clean": not any(found.severity == "error" for found in findings), **counts}
