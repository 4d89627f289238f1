"""`federate_collection`: one site's part in the training of an encoder at several sites."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from latentdx.autoencoder.engine.budget import Spent
from latentdx.autoencoder.engine.checkpoint import CheckpointFolder, Epoch
from latentdx.autoencoder.engine.data import as_source
from latentdx.autoencoder.engine.fit import Pool, pretrain
from latentdx.autoencoder.engine.settings import FitSettings
from latentdx.autoencoder.engine.watch import Watch
from latentdx.autoencoder.federated import (
    average_states,
    pooled_moments,
    require_averageable,
    state_hash,
    state_of,
)
from latentdx.autoencoder.transfer import kept
from latentdx.core.errors import StopError
from latentdx.core.hashing import hash_json
from latentdx.core.seeds import derive_seed
from latentdx.core.version import VERSION
from latentdx.report.ancestry import ancestry_sentences
from latentdx.report.federated import federated_sentences
from latentdx.study.ancestor import begun, load_ancestor
from latentdx.study.beginning import Beginning, first_network
from latentdx.study.curve import Curve
from latentdx.study.domains import alignment_told, check_asked, hashes_of, pool_of
from latentdx.study.encoder import DESCRIPTION, load_encoder, save_encoder
from latentdx.study.exchange import Exchange, Hello
from latentdx.study.federated_folder import keep_history, kept_history, require_not_spent, taken_up
from latentdx.study.federated_settings import FederatedSettings, check_federated, shared_hashes
from latentdx.study.folder import RunFolder
from latentdx.study.learn import fit_settings, training_modalities
from latentdx.study.looks import check_views, looks_told
from latentdx.study.own_masks import focus_told, hashes_of_masks, with_masks
from latentdx.study.prepare import Prepared
from latentdx.study.pretrained import Pretrained
from latentdx.study.private import budget_of, check_private
from latentdx.study.reporter import Clock, Reporter
from latentdx.study.separate import open_for_training
from latentdx.study.settings import RunSettings
from latentdx.study.taken_up import checkpoints_for
from latentdx.study.training_report import TrainingMade, write_training_report

_FEWEST = 8


@dataclass(frozen=True)
class _Site:
    """One site at work: what it learns from and by, where it keeps its own, whom it talks to.

    `key`: what its training is made from. `run`: see `Hello`. `spent`: what all rounds together
    guarantee a patient, where they are private.
    """

    settings: RunSettings
    how: FederatedSettings
    prepared: Prepared
    pool: Pool
    begun: Beginning
    folder: RunFolder
    clock: Clock
    key: str
    run: str
    spent: Spent | None = None

    @property
    def exchange(self) -> Exchange:
        """The common folder."""
        return _exchange(self.how, self.clock)

    @property
    def n_scans(self) -> int:
        """That it learns from."""
        return len(self.pool.train)

    def fit(self, number: int) -> FitSettings:
        """How it trains in a round, counted from 1."""
        return replace(
            fit_settings(self.settings, training_modalities(self.prepared)),
            keep="last",
            round_of=(number - 1, self.how.rounds),
            proximal=self.how.proximal,
        )


def federate_collection(
    collection: Path, to: Path, settings: RunSettings, how: FederatedSettings, reporter: Reporter
) -> dict[str, Any]:
    """Train an encoder with other sites, of which each calls this for its own collection.

    Every round each site trains from the same weights on its own scans, puts its weights into the
    exchange folder, waits for those of the others, and averages all of them (see
    `average_states`). At the end all have the same encoder, with records of their own scans. The
    same call goes on where it stopped; of a training that is finished it tells again.

    Raises `StopError` ``E_OPTION``, ``E_DESTINATION``, ``E_TOO_FEW``, ``E_WAIT``, ``E_SITES``;
    `IntegrityError` ``E_UPDATE``; and the errors of `pretrain_collection`.
    """
    settings = settings.model_copy(update={"epochs": 1}) if settings.epochs is None else settings
    check_federated(settings, how)
    settings = begun(settings)
    check_private(settings)
    check_asked(settings)
    check_views(settings)
    clock = Clock(reporter)
    prepared = open_for_training(collection, settings)
    key = _key(settings, how, prepared)
    folder = RunFolder(to)
    run = taken_up(folder, key)
    if (to / DESCRIPTION).exists():
        clock.note("nothing is left to do: this site has finished")
        return _result(folder, how, {})
    _exchange(how, clock).require()
    site = _begin(settings, how, prepared, (folder, clock, key, run))
    return _finish(site, *_train(site))


def _exchange(how: FederatedSettings, clock: Clock) -> Exchange:
    return Exchange(how.exchange, how.site, how.sites, how.wait, clock.progress)


def _key(settings: RunSettings, how: FederatedSettings, prepared: Prepared) -> str:
    shared = shared_hashes(settings, how, prepared.collection.shape)
    start = None if settings.start is None else load_ancestor(settings.start).sha256
    return hash_json([VERSION, shared, how.site, start, prepared.split.hash])


def _begin(
    settings: RunSettings,
    how: FederatedSettings,
    prepared: Prepared,
    place: tuple[RunFolder, Clock, str, str],
) -> _Site:
    clock = place[1]
    clock.step("begin", "Looking at the scans")
    if settings.start is not None:
        load_ancestor(settings.start).require_unseen(prepared.table, prepared.split)
    pool = pool_of(prepared, settings, clock)
    if len(pool.train) < _FEWEST:
        found = f"{len(pool.train)} scans to learn from"
        raise StopError("E_TOO_FEW", found, fix="add scans")
    first = first_network(settings, as_source(pool.train))
    pool = with_masks(pool, first.network, prepared, settings, clock)
    require_averageable(first.network)
    for sentence in ancestry_sentences(first.descent.ancestry):
        clock.note(sentence)
    site = _Site(settings, how, prepared, pool, first, *place)
    return replace(site, spent=budget_of(pool, site.fit(1), first.network, clock))


def _train(site: _Site) -> tuple[list[Epoch], dict[str, Hello]]:
    """All rounds; the site's network then has the common weights."""
    network, how = site.begun.network, site.how
    site.exchange.greet(_hello(site))
    site.clock.step("wait", "Waiting for all sites")
    sites = site.exchange.greetings()
    counts = [each.n_scans for each in sites.values()]
    if site.settings.epsilon is None:
        moments = [(each.mean or [], each.std or []) for each in sites.values()]
        network.set_normalisation(*pooled_moments(moments, counts))
    site.clock.note(f"sites: {', '.join(f'{n} ({s.n_scans} scans)' for n, s in sites.items())}")
    state = state_of(network)
    history: list[Epoch] = []
    for number in range(1, how.rounds + 1):
        began = state_hash(state)
        if not site.exchange.has_written(number, site.run, began):
            network.load_state_dict(state)
            _learn(site, number, began)
            site.exchange.write(number, site.run, began, state_of(network))
        history += kept_history(site.folder, number)
        site.clock.step("wait", f"Round {number} of {how.rounds}: waiting for the others")
        states = site.exchange.states(number, began, sites, state)
        state = average_states(states, counts)
    network.load_state_dict(state)
    network.eval()
    return history, sites


def _hello(site: _Site) -> Hello:
    network = site.begun.network
    state = state_of(network)
    mean, std = (state.pop(name).flatten().tolist() for name in ("mean", "std"))
    private = site.settings.epsilon is not None
    return Hello(
        site=site.how.site,
        run=site.run,
        latentdx=VERSION,
        settings=shared_hashes(site.settings, site.how, site.prepared.collection.shape),
        first=state_hash(state),
        n_scans=site.n_scans,
        mean=None if private else mean,
        std=None if private else std,
    )


def _learn(site: _Site, number: int, began: str) -> None:
    """One round's training of this site, which goes on where it was stopped."""
    clock, settings, network = site.clock, site.settings, site.begun.network
    clock.step("pretrain", f"Round {number} of {site.how.rounds}: training without labels")
    fit, curve = site.fit(number), Curve()
    beside = [*hashes_of(site.pool.domains), *hashes_of_masks(site.pool.masks)]
    key = hash_json([site.key, site.run, number, began, repr(fit), *beside])
    if settings.epsilon is not None:
        require_not_spent(site.folder, number, key)
    with kept(network, settings.freeze):
        history = pretrain(
            network,
            site.pool,
            fit,
            seed=derive_seed(settings.seed, "federated", number),  # heads of objectives are alike
            checkpoints=checkpoints_for(site.folder.checkpoints, key),
            watch=Watch(lambda at: clock.progress(at.step, at.steps, curve.text(at)), curve.add),
        )
    keep_history(site.folder, number, key, history)


def _finish(site: _Site, history: list[Epoch], sites: dict[str, Hello]) -> dict[str, Any]:
    how, clock, network = site.how, site.clock, site.begun.network
    federated = {
        "site": how.site,
        "rounds": how.rounds,
        "epochs": site.settings.epochs,
        "proximal": how.proximal,
        "began_known": site.begun.descent.seen_all,
        "sites": {name: {"scans": each.n_scans} for name, each in sites.items()},
    }
    descent = replace(site.begun.descent, seen_all=False)
    done = Pretrained(
        *(network, history, site.n_scans, None, descent, site.spent),
        alignment=alignment_told(site.pool.domains, site.settings),
        looks=looks_told(site.settings),
        focus=focus_told(site.pool.masks),
    )
    for sentence in federated_sentences(federated):
        clock.note(sentence)
    clock.step("report", "Writing the report of the training")
    made = TrainingMade(site.settings, site.prepared, done)
    told = {**done.told, "federated": federated}
    write_training_report(site.folder.root, made, clock.seconds, federated_sentences(federated))
    table, split = site.prepared.table, site.prepared.split
    save_encoder(site.folder.root, network, table, split, descent, told=told)
    CheckpointFolder(site.folder.checkpoints).clear()
    clock.stop()
    return _result(site.folder, how, clock.seconds)


def _result(folder: RunFolder, how: FederatedSettings, seconds: dict[str, float]) -> dict[str, Any]:
    """What is told at the end, of a training that was finished before, too."""
    encoder = load_encoder(folder.root)
    sites = {name: each["scans"] for name, each in encoder.federated["sites"].items()}
    losses = [epoch.loss for epoch in kept_history(folder, how.rounds)]
    return {
        "encoder": str(folder.root),
        "sha256": encoder.sha256,
        "site": how.site,
        "sites": sites,
        "rounds": how.rounds,
        "epochs": encoder.federated["epochs"],
        "loss": losses[-1] if losses else None,
        "seconds": dict(seconds),
    }
