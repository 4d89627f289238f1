"""`Exchange`: a folder by which sites tell each other weights, counts and hashes, nothing else.

    round-0/SITE.json            what is trained (as hashes), scans, moments of pixels
    round-R/SITE.safetensors     weights after round R, as safetensors
    round-R/SITE.json            their SHA-256, and that of the weights which the round began from

Any transport will do that brings the files of all sites to all, in any order and at any time: a
file is taken once it is whole, which its hash tells.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from latentdx.autoencoder.federated import State, misfit
from latentdx.core.errors import IntegrityError, StopError
from latentdx.core.files import write_atomic, write_json

SITE = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
"""Names of sites, which are names of files on every system."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 10.0
_LARGEST_TEXT, _SPARE = 1 << 20, 1 << 16
_AGAIN = "ask that site to remove it and to call `latentdx federate` again"


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)

    format: Literal["latentdx-federated"] = "latentdx-federated"
    site: str
    run: str = Field(max_length=64)


class Hello(_Told):
    """What a site tells before the first round.

    Attributes
    ----------
    run: a number drawn for this training of the site, by which strangers of its name are known.
    latentdx: the version. settings: a hash for each setting that all have to share. first: hash of
        the first weights. n_scans: to learn from. mean, std: of their pixels, (C,), or None where
        usual ones are taken.
    """

    latentdx: str = Field(max_length=64)
    settings: dict[str, str]
    first: str
    n_scans: int = Field(ge=1)
    mean: list[float] | None
    std: list[float] | None


class Update(_Told):
    """What a site tells of its weights after a round: their hash, and of what it began from."""

    round: int
    began: str
    sha256: str


_Read = TypeVar("_Read")
_Model = TypeVar("_Model", bound=_Told)


class _NotYetError(Exception):
    """A file that is not there, or not whole; `args[0]` says so where something is there."""


@dataclass(frozen=True)
class Exchange:
    """The folder, as one of `count` sites sees it; others are waited for so many `minutes`."""

    root: Path
    site: str
    count: int
    minutes: float
    tell: Callable[[int, int, str], None]

    def require(self) -> None:
        """Raise `StopError` ``E_DESTINATION`` where there is no such folder."""
        if not self.root.is_dir():
            fix = "make it, or mount it: all sites have to see the same one"
            raise StopError("E_DESTINATION", "the exchange is no folder", fix=fix, path=self.root)

    def greet(self, hello: Hello) -> None:
        """Write what this site tells, unless it has. Raises `StopError` ``E_SITES``: name taken."""
        path = self._path(0, self.site, "json")
        try:
            before = self._told(path, Hello)
        except _NotYetError:
            before = None
        moments = {"mean", "std"}  # their last bits may differ from call to call
        if before is None or (before.run == hello.run and not _alike(before, hello, moments)):
            path.parent.mkdir(exist_ok=True)
            write_json(path, hello.model_dump())
        elif before.run != hello.run:
            found = f"a site of the name {self.site} has begun here, from another folder"
            fix = "choose another --site, or give the --to that it began with"
            raise StopError("E_SITES", found, fix=fix, path=path)

    def greetings(self) -> dict[str, Hello]:
        """What all sites tell, by name in order.

        Raises `StopError` ``E_WAIT``, and ``E_SITES`` where there are more of them than there
        should be, or they do not train alike.
        """
        self._wait(self._present, lambda _: 0)
        names = self._present()
        found = self._wait(lambda: names, lambda name: self._hello(name))
        for name, hello in found.items():
            _require_alike(name, hello, found[self.site], self._path(0, name, "json"))
        return found

    def has_written(self, number: int, run: str, began: str) -> bool:
        """Whether this site's part of a round that began from the weights `began` is there."""
        try:
            update = self._told(self._path(number, self.site, "json"), Update)
            return (update.run, update.began) == (run, began) and bool(self._data(update))
        except _NotYetError:
            return False

    def write(self, number: int, run: str, began: str, state: State) -> None:
        """This site's weights after a round; what tells of them comes last."""
        data = save_tensors(dict(state))
        path = self._path(number, self.site, "safetensors")
        path.parent.mkdir(exist_ok=True)
        write_atomic(path, data)
        told = Update(
            site=self.site,
            run=run,
            round=number,
            began=began,
            sha256=hashlib.sha256(data).hexdigest(),
        )
        write_json(path.with_suffix(".json"), told.model_dump())

    def states(
        self, number: int, began: str, greetings: dict[str, Hello], network: State
    ) -> list[dict[str, Tensor]]:
        """The weights of all sites after a round, in the order of their names.

        Raises `StopError` ``E_WAIT``; `IntegrityError` ``E_UPDATE`` for what cannot be averaged.
        """

        def read(name: str) -> dict[str, Tensor]:
            return self._state(number, began, greetings[name], network)

        return list(self._wait(lambda: list(greetings), read).values())

    def _present(self) -> list[str]:
        """Names of the sites that have told of themselves."""
        found = sorted(path.stem for path in (self.root / "round-0").glob("*.json"))
        names = [name for name in found if SITE.fullmatch(name)]
        if len(names) > self.count:
            text = f"{len(names)} sites ({', '.join(names)}) write into a folder for {self.count}"
            fix = "correct --sites, or remove the files of those that take no part"
            raise StopError("E_SITES", text, fix=fix, path=self.root)
        return names

    def _hello(self, name: str) -> Hello:
        path = self._path(0, name, "json")
        hello = self._told(path, Hello)
        if hello.site != name:
            raise IntegrityError("E_UPDATE", "it is of another site", fix=_AGAIN, path=path)
        return hello

    def _state(self, number: int, began: str, hello: Hello, network: State) -> dict[str, Tensor]:
        path = self._path(number, hello.site, "json")
        update = self._told(path, Update)
        if (update.site, update.run, update.round) != (hello.site, hello.run, number):
            found = "it is of another site, round or training"
            raise IntegrityError("E_UPDATE", found, fix=_AGAIN, path=path)
        if update.began != began:
            found = "the round began from other weights there than here"
            fix = "earlier files have changed, or these machines calculate unlike: begin anew"
            raise IntegrityError("E_UPDATE", found, fix=fix, path=path)
        whole = path.with_suffix(".safetensors")
        most = 2 * sum(held.nbytes for held in network.values()) + _SPARE
        if whole.exists() and whole.stat().st_size > most:
            found = "it is larger than weights of this network can be"
            raise IntegrityError("E_UPDATE", found, fix=_AGAIN, path=whole)
        try:
            state = load_tensors(self._data(update))
            wrong = misfit(state, network)
        except (SafetensorError, ValueError, KeyError, TypeError):
            wrong = "it is no safetensors"
        if wrong:
            raise IntegrityError("E_UPDATE", wrong, fix=_AGAIN, path=whole)
        return {name: state[name] for name in network}

    def _data(self, update: Update) -> bytes:
        path = self._path(update.round, update.site, "safetensors")
        try:
            data = path.read_bytes()
        except OSError:
            raise _NotYetError(f"the weights of {update.site} are not there yet") from None
        if hashlib.sha256(data).hexdigest() != update.sha256:
            raise _NotYetError(f"the weights of {update.site} do not match their SHA-256")
        return data

    def _told(self, path: Path, kind: type[_Model]) -> _Model:
        try:
            if path.stat().st_size > _LARGEST_TEXT:
                raise IntegrityError("E_UPDATE", "it is far too large", fix=_AGAIN, path=path)
            value = json.loads(path.read_text(encoding="utf-8"))
        except OSError:
            raise _NotYetError("") from None
        except ValueError:
            raise _NotYetError(f"{path.name} is cut short or damaged") from None
        try:
            return kind.model_validate(value)
        except ValidationError:
            found = "it is not what this version of latentdx writes"
            raise IntegrityError("E_UPDATE", found, fix=_AGAIN, path=path) from None

    def _path(self, number: int, site: str, kind: str) -> Path:
        return self.root / f"round-{number}" / f"{site}.{kind}"

    def _wait(
        self, names: Callable[[], Sequence[str]], read: Callable[[str], _Read]
    ) -> dict[str, _Read]:
        """What is read of all sites, by name, once it is there and whole."""
        deadline, pause = time.monotonic() + 60 * self.minutes, _FIRST_PAUSE
        found: dict[str, _Read] = {}
        while True:
            missing = {}
            for name in (known := names()):
                try:
                    found[name] = found[name] if name in found else read(name)
                except _NotYetError as error:
                    missing[name] = str(error)
            if not missing and len(known) == self.count:
                return {name: found[name] for name in known}
            if time.monotonic() >= deadline:
                raise self._in_vain(missing)
            self.tell(len(found), self.count, f"waiting for {', '.join(missing) or 'other sites'}")
            time.sleep(max(0.0, min(pause, deadline - time.monotonic())))
            pause = min(1.5 * pause, _LONGEST_PAUSE)

    def _in_vain(self, missing: dict[str, str]) -> Exception:
        damaged = [reason for reason in missing.values() if reason]
        if damaged:
            return IntegrityError("E_UPDATE", damaged[0], fix=_AGAIN, path=self.root)
        who = ", ".join(missing) or "other sites"
        found = f"waited {self.minutes:g} minutes for {who}"
        fix = "call again once they have gone on: this site's part is kept"
        return StopError("E_WAIT", found, fix=fix, path=self.root)


def _alike(one: Hello, other: Hello, but: set[str]) -> bool:
    return one.model_dump(exclude=but) == other.model_dump(exclude=but)


def _fits(other: Hello, own: Hello) -> bool:
    """Whether moments are there for as many channels, and can be some of pixels in 0..1."""
    told = [(pair.mean or [], pair.std or []) for pair in (other, own)]
    in_range = all(0 <= value <= 1 for values in told[0] for value in values)
    return in_range and [len(v) for v in told[0]] == [len(v) for v in told[1]]


def _require_alike(name: str, other: Hello, own: Hello, path: Path) -> None:
    """Raise `StopError` ``E_SITES`` naming what two sites do not train alike."""
    differing = sorted(
        key for key in own.settings.keys() | other.settings.keys()
        if own.settings.get(key) != other.settings.get(key)
    )  # fmt: skip
    if own.latentdx != other.latentdx:
        differing.insert(0, "version of latentdx")
    if not differing and own.first != other.first:
        differing = ["first weights: give all sites the same --from, or the same version of torch"]
    if not differing and not _fits(other, own):
        found = "its moments of pixels are not those of such scans"
        raise IntegrityError("E_UPDATE", found, fix=_AGAIN, path=path)
    if differing:
        found = f"{name} does not train as this site does: {', '.join(differing)}"
        fix = "agree on them, correct the command, and call again"
        raise StopError("E_SITES", found, fix=fix, path=path)
