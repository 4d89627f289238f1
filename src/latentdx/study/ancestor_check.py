"""Before anything is learned: have the weights to begin from seen what is held out?"""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from latentdx.collection.audit import Audit, Finding
from latentdx.core.files import write_json
from latentdx.study.ancestor import Ancestor, load_ancestor
from latentdx.study.folder import RunFolder
from latentdx.study.folds import splits_of
from latentdx.study.left_out import splits_without
from latentdx.study.prepare import Prepared
from latentdx.study.settings import RunSettings

KNOWN, UNKNOWN = "ancestor", "ancestor-unknown"


def check_ancestor(
    prepared: Prepared, settings: RunSettings, autoencoder: nn.Module | None = None
) -> None:
    """Raise `LeakageError` ``E_SEEN`` where held-out scans, of any fold or place, were seen."""
    if settings.start is None:
        return
    ancestor = load_ancestor(settings.start, autoencoder)
    splits = [prepared.split]
    splits += [] if settings.folds is None else splits_of(prepared, settings)
    if settings.leave_out is not None:
        splits += [split for _, split in splits_without(prepared, settings)]
    for split in splits:
        ancestor.require_unseen(prepared.table, split)


def with_ancestor(
    prepared: Prepared,
    settings: RunSettings,
    folder: RunFolder,
    autoencoder: nn.Module | None = None,
) -> Prepared:
    """The audit, in ``audit.json`` too, with what is known of the scans that it begins from."""
    if settings.start is None:
        return prepared
    found = finding(load_ancestor(settings.start, autoencoder))
    audit = Audit((*prepared.audit.findings, found))
    write_json(folder.root / "audit.json", audit.as_json())
    return replace(prepared, audit=audit)


def finding(ancestor: Ancestor) -> Finding:
    """What the audit says of weights to begin from, once `check_ancestor` has let them pass."""
    if ancestor.federated.get("began_known"):
        names = ", ".join(ancestor.federated["sites"])
        text = (
            f"the encoder begins from {ancestor.told}, which learned at several sites ({names}): a "
            "patient of the test part who was at another of them is not recognised, and the scores "
            "may be too good by that"
        )
        return Finding(UNKNOWN, "warning", 1, text)
    if not ancestor.seen_all:
        text = (
            f"the encoder begins from {ancestor.told}, of which it is not recorded what it learned "
            "from: if held-out scans or patients were among it, the scores are too good"
        )
        return Finding(UNKNOWN, "warning", 1, text)
    text = (
        f"the encoder begins from {ancestor.told}, which has seen no held-out scan, as far as "
        "equal pictures and the same pseudonyms tell"
    )
    return Finding(KNOWN, "info", 0, text)
