"""Optuna's study in a file: its trials outlive the process, and a killed one is tried again.

Every suggestion derives from the seed, the number of trials that are done, and their results, not
from a generator that is lost with the process. So a search that was killed and goes on makes the
suggestions that it would have made. Akiba et al., "Optuna", KDD 2019; the sampler is the
tree-structured Parzen estimator of Bergstra et al., NeurIPS 2011, the pruner the median rule of
Golovin et al., KDD 2017.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentdx.core.seeds import derive_seed

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

JOURNAL = "trials.jsonl"
_NAME = "latentdx search"
_RANDOM = 10  # trials that are drawn before the sampler learns from them
_UNPRUNED = 3
_TELLING = 6  # different results, from which on it is said what mattered


class SearchStore:
    """The trials of a search: done (complete, pruned) or, for a moment, running.

    A trial whose process was killed is marked as failed and counts for nothing.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        """Open or begin. The caller holds the folder: nobody else writes."""
        from optuna import create_study
        from optuna.pruners import MedianPruner
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        path = folder / JOURNAL
        _repair(path)
        with _quiet():
            self.study: Study = create_study(
                storage=JournalStorage(JournalFileBackend(str(path))),
                study_name=_NAME,
                load_if_exists=True,
                pruner=MedianPruner(n_startup_trials=_UNPRUNED, n_warmup_steps=0),
            )
        self.seed = seed
        self._forget_killed()

    def done(self) -> list[FrozenTrial]:
        """Complete and pruned trials, in the order in which they were made."""
        from optuna.trial import TrialState

        ended = (TrialState.COMPLETE, TrialState.PRUNED)
        return self.study.get_trials(deepcopy=False, states=ended)

    def complete(self) -> list[FrozenTrial]:
        """Trials with a result."""
        return [trial for trial in self.done() if trial.state.name == "COMPLETE"]

    def best(self) -> FrozenTrial | None:
        """The complete trial with the least loss; of equals the first."""
        return min(self.complete(), key=lambda trial: trial.value or 0.0, default=None)

    def ask(self, own: Mapping[str, Any] | None) -> Trial:
        """The next trial: at the point `own`, or where the sampler expects most."""
        from optuna.samplers import TPESampler
        from optuna.trial import TrialState

        seed = derive_seed(self.seed, "trial", len(self.done())) % 2**32
        self.study.sampler = TPESampler(seed=seed, n_startup_trials=_RANDOM)
        waiting = self.study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
        if own is not None and not waiting:
            with _quiet():
                self.study.enqueue_trial(dict(own))
        return self.study.ask()

    def tell(self, trial: Trial, value: float | None) -> None:
        """A trial is over: with a result, or given up."""
        from optuna.trial import TrialState

        if value is None:
            self.study.tell(trial, state=TrialState.PRUNED)
        else:
            self.study.tell(trial, value)

    def importance(self) -> dict[str, float]:
        """The share of the differences between results that each setting explains, largest first.

        Hutter et al., "An efficient approach for assessing hyperparameter importance", ICML 2014.
        Empty where there are too few results.
        """
        from optuna.importance import FanovaImportanceEvaluator, get_param_importances

        values = {trial.value for trial in self.complete()}
        if len(values) < _TELLING:
            return {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = get_param_importances(
                self.study, evaluator=FanovaImportanceEvaluator(seed=self.seed % 2**32)
            )
        return {name: round(float(share), 4) for name, share in found.items()}

    def _forget_killed(self) -> None:
        from optuna.trial import TrialState

        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            self.study.tell(trial.number, state=TrialState.FAIL)


def _repair(path: Path) -> None:
    """Take away what a killed process left: half a line, and Optuna's own lock."""
    for lock in path.parent.glob(f"{path.name}.lock*"):
        lock.unlink(missing_ok=True)
    if path.exists():
        whole = path.read_bytes()
        with path.open("r+b") as file:
            file.truncate(whole.rfind(b"\n") + 1)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Optuna's notes on what it creates; its level of verbosity comes back."""
    from optuna import logging

    before = logging.get_verbosity()
    logging.set_verbosity(logging.WARNING)
    try:
        yield
    finally:
        logging.set_verbosity(before)
