"""`search`: which autoencoder, how wide, with which objective, learned how fast? Judged on tune.

Every trial trains one member on train and pretrain scans and is judged by the mean log-loss, on
tune, of classifiers fitted on few labels (`diagnosis.probe`). A look after a few epochs ends those
that are worse than most. No scan of calibrate or test is opened; but the best of many on tune is
optimistic, so the value of a setting is known only after a run has tested it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from latentdx.autoencoder.base import Autoencoder
from latentdx.autoencoder.engine.watch import Watch
from latentdx.core.errors import LatentdxError
from latentdx.core.version import VERSION
from latentdx.diagnosis.probe import ProbeSettings
from latentdx.features.extract import embed
from latentdx.metrics.calibration import log_loss
from latentdx.metrics.discrimination import auroc
from latentdx.study.choice import ChoiceScans, Trained, fresh_member, open_choice, train_member
from latentdx.study.choice_folder import claimed
from latentdx.study.reporter import Reporter
from latentdx.study.search_length import settle_length
from latentdx.study.search_result import RESULTS, Budget, keep_results, publish_results
from latentdx.study.search_space import Space, run_values
from latentdx.study.search_store import SearchStore
from latentdx.study.settings import RunSettings, settings_from

if TYPE_CHECKING:
    from optuna import Trial

_QUICK_DRAWS, _QUICK_SCANS = 4, 1000
_HOPELESS = 5  # trials that failed, and none that did not


@dataclass(frozen=True)
class SearchSettings:
    """What a search depends on, but for how long it goes on.

    Attributes
    ----------
    base: the settings of a run that are not searched: source, seed, precision...; its `epochs`
        are those of each trial, None for as many as a run would make.
    labelled: labels with which features are judged.
    """

    base: RunSettings
    space: Space
    labelled: int = ProbeSettings.labelled

    def as_json(self) -> dict[str, Any]:
        """Without the place of the collection: it may be moved."""
        base = self.base.model_dump(mode="json", exclude={"source"}, exclude_defaults=True)
        return {**base, **asdict(self.space), "labelled": self.labelled}


class _GivenUp(Exception):  # noqa: N818 - it ends a training, and is no error
    """A trial is given up."""


def search(
    collection: Path, to: Path, settings: SearchSettings, budget: Budget, reporter: Reporter
) -> dict[str, Any]:
    """Search until the budget is spent; called again, go on. Returns what is in ``search.json``.

    Raises `StopError` ``E_DESTINATION`` (other things, other settings or another process at `to`)
    and the errors of `split_by_patient`.
    """
    reporter.step("open", "Reading the scans of train and tune")
    scans = open_choice(collection, settings.base)
    told = {**settings.as_json(), "scans": scans.key, "version": VERSION}
    with claimed(to, told, RESULTS) as work:
        store = SearchStore(work, settings.base.seed)
        reporter.step("search", "Searching")
        length = settle_length(scans, settings.base, budget.minutes, work / "length.json")
        at_work = _Search(scans, settings, budget, store, reporter)
        at_work.epochs = length.trial

        def save() -> dict[str, Any]:
            asked = {**settings.as_json(), "trial_epochs": length.trial, "run_epochs": length.run}
            return keep_results(to, settings.base, asked, budget, store)

        at_work.run(save)
        return publish_results(to, save(), store)


class _Search:
    """One search at work."""

    def __init__(
        self,
        scans: ChoiceScans,
        settings: SearchSettings,
        budget: Budget,
        store: SearchStore,
        reporter: Reporter,
    ) -> None:
        self.scans, self.settings, self.budget = scans, settings, budget
        self.store, self.reporter = store, reporter
        self.seed = settings.base.seed
        self.quick = scans.fewer(_QUICK_SCANS, seed=self.seed)
        self.epochs = 1
        self.started = time.monotonic()
        self.before: float = sum(trial.user_attrs["seconds"] for trial in store.done())

    def run(self, save: Callable[[], Any]) -> None:
        """Trial after trial; each is saved before the next begins."""
        while not self._is_over():
            self._tell()
            self._try()
            save()

    def seconds_left(self) -> float:
        """Of the budget, over all calls; infinite where it is in trials."""
        if self.budget.minutes is None:
            return float("inf")
        return 60 * self.budget.minutes - self.before - (time.monotonic() - self.started)

    def _is_over(self) -> bool:
        enough = self.budget.trials is not None and len(self.store.done()) >= self.budget.trials
        return enough or self.seconds_left() <= 0

    def _try(self) -> None:
        """One trial, from the suggestion to its result."""
        number, families = len(self.store.done()), self.settings.space.families
        own = self.settings.space.own(families[number]) if number < len(families) else None
        trial = self.store.ask(own)
        started, value, note = time.monotonic(), None, ""
        trial.set_user_attr("seconds", 0.0)
        try:
            value = self._judged(trial)
        except _GivenUp as why:
            note = str(why)
        except (LatentdxError, torch.OutOfMemoryError) as error:
            note = str(error) if isinstance(error, LatentdxError) else "it needs too much memory"
            if number + 1 >= _HOPELESS and not self.store.complete():
                raise
        trial.set_user_attr("seconds", round(time.monotonic() - started, 3))
        trial.set_user_attr("note", note)
        self.store.tell(trial, value)

    def _judged(self, trial: Trial) -> float:
        """Train at the suggested point, and judge."""
        values = run_values(self.settings.space.suggested(trial))
        trial.set_user_attr("settings", values)
        base = self.settings.base.model_dump(exclude_defaults=True)
        settings = settings_from({**base, **values, "epochs": self.epochs})
        network = fresh_member(self.scans, settings)
        trained = train_member(
            network,
            self.scans,
            settings,
            minutes=self._minutes(),
            watch=Watch(
                progress=lambda _: self._step(),
                epoch=lambda number, _: self._look(trial, number, network),
            ),
        )
        return self._noted(trial, trained)

    def _minutes(self) -> float | None:
        """The first trial ends with the time, to leave a result; the others are given up."""
        if self.budget.minutes is None or self.store.complete():
            return None
        return max(self.seconds_left(), 0.0) / 60

    def _step(self) -> None:
        """Give the trial up where time is over; but not the first, which is cut to it."""
        if self.seconds_left() <= 0 and self.store.complete():
            raise _GivenUp("time was over")
        self._tell()

    def _look(self, trial: Trial, number: int, network: Autoencoder) -> None:
        """After an epoch: give the trial up where others were better by now."""
        self._step()
        if number not in looks_of(self.epochs):
            return
        asked = ProbeSettings(_QUICK_DRAWS, self.settings.labelled)
        probe = self.quick.probe(lambda pixels: embed(network, pixels), asked, seed=self.seed)
        value = float(probe.losses().mean())
        trial.report(value, number)
        if trial.should_prune():
            raise _GivenUp(f"worse than the median after {number} of {self.epochs} epochs")

    def _noted(self, trial: Trial, trained: Trained) -> float:
        """The result, and beside it what the table shows."""
        asked = ProbeSettings(labelled=self.settings.labelled)
        probe = self.scans.probe(
            lambda pixels: embed(trained.network, pixels), asked, seed=self.seed
        )
        measured = {"log_loss": log_loss, "auroc": auroc}
        for name, metric in measured.items():
            found = probe.measured(metric, seed=self.seed).estimate()
            trial.set_user_attr(name, found.as_json())
        trial.set_user_attr("parameters", trained.n_parameters)
        trial.set_user_attr("epochs", len(trained.history))
        return float(probe.losses().mean())

    def _tell(self) -> None:
        done, best = len(self.store.done()), self.store.best()
        said = [f"{done} trials"]
        if best is not None:
            said.append(f"best {best.value:.3f} ({best.params['autoencoder']})")
        minutes = self.budget.minutes
        if minutes is not None:
            said.append(f"{max(0.0, self.seconds_left()):.0f} s left")
        if self.budget.trials is not None:
            self.reporter.progress(done, self.budget.trials, ", ".join(said))
        elif minutes is not None:
            total = int(60 * minutes)
            self.reporter.progress(
                min(total, int(total - self.seconds_left())), total, ", ".join(said)
            )


def looks_of(epochs: int) -> set[int]:
    """After which epochs of a trial its features are looked at: a sixth, a third, two thirds.

    Examples
    --------
    >>> sorted(looks_of(12)), sorted(looks_of(2)), sorted(looks_of(1))
    ([2, 4, 8], [1], [])
    """
    return {-(-epochs * share // 6) for share in (1, 2, 4)} - {epochs}
