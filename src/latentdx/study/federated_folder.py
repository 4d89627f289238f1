"""What one site of several keeps in its encoder's folder until the end, and after."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from latentdx.autoencoder.engine.checkpoint import Epoch
from latentdx.core.errors import StopError
from latentdx.core.files import write_json
from latentdx.study.folder import RunFolder


def taken_up(folder: RunFolder, key: str) -> str:
    """The number of this training, drawn at its first call.

    Raises `StopError` ``E_DESTINATION`` where another training or something else lies there.
    """
    noted = folder.root / ".work" / "federated.json"
    if noted.exists():
        told = json.loads(noted.read_text())
        if told["key"] == key:
            return str(told["run"])
        if _history_path(folder, 1).exists():
            found = "a training with other settings, or of other scans, lies there"
            fix = "choose another --to, or call with what it was begun with"
            raise StopError("E_DESTINATION", found, fix=fix, path=folder.root)
        write_json(noted, {**told, "key": key})
        return str(told["run"])
    work = noted.parent
    is_free = not folder.root.exists() or not (folder.names() - {work.name})
    if not is_free or (work.exists() and any(work.glob("[!.]*"))):
        fix = "choose another --to"
        raise StopError("E_DESTINATION", "something lies there", fix=fix, path=folder.root)
    work.mkdir(parents=True, exist_ok=True)
    run = secrets.token_hex(8)
    write_json(noted, {"key": key, "run": run})
    return run


def _history_path(folder: RunFolder, number: int) -> Path:
    return folder.root / ".work" / "rounds" / f"{number}.json"


def keep_history(folder: RunFolder, number: int, key: str, history: Sequence[Epoch]) -> None:
    """Write down how a round went, for the report at the end."""
    path = _history_path(folder, number)
    path.parent.mkdir(exist_ok=True)
    told = {"key": key, "epochs": [asdict(epoch) for epoch in history]}
    path.write_text(json.dumps(told))  # NaN stands for what was not measured


def kept_history(folder: RunFolder, number: int) -> list[Epoch]:
    """Undo `keep_history`; nothing where nothing is kept."""
    path = _history_path(folder, number)
    told = json.loads(path.read_text()) if path.exists() else {"epochs": []}
    return [Epoch(**each) for each in told["epochs"]]


def require_not_spent(folder: RunFolder, number: int, key: str) -> None:
    """Raise `StopError` ``E_UPDATE`` where a private round was trained before, and is to be again.

    Not where its checkpoint, made from the same `key`, gives the weights that were trained then.
    """
    path, label = _history_path(folder, number), folder.checkpoints.with_suffix(".json")
    if not path.exists():
        return
    told, at = json.loads(path.read_text())["key"], json.loads(label.read_text())["key"]
    if not (told == at == key and any(folder.checkpoints.glob("step-*"))):
        found = f"round {number} was trained with --epsilon before, and its files have changed"
        fix = "restore the exchange; or begin anew in empty folders, which spends epsilon again"
        raise StopError("E_UPDATE", found, fix=fix, path=path)
