"""``--objective deep-coral --domain``: told in all that leaves the house, kept in keys, refused."""

from __future__ import annotations

import doctest
import json
from pathlib import Path

import pytest
from choice_scans import write_collection

from latentdx.collection.store import Collection
from latentdx.core.errors import StopError
from latentdx.report import alignment
from latentdx.study.domains import alignment_told, check_asked, domains_of, hashes_of
from latentdx.study.domains_check import check_domains
from latentdx.study.encoder import load_encoder
from latentdx.study.external import evaluate_bundle
from latentdx.study.key import study_key
from latentdx.study.prepare import Prepared, open_prepared
from latentdx.study.reporter import Silent
from latentdx.study.run import run_study
from latentdx.study.separate import fit_collection, pretrain_collection
from latentdx.study.settings import RunSettings, read_toml, settings_from

CORAL = {"deep-coral": 1.0}


def settings_of(path: Path, **more: object) -> RunSettings:
    small = {"autoencoder": "convolutional", "network": {"widths": [8, 16]}, "epochs": 1}
    given = {"source": str(path), "classifier": "prototypes", "features": "pooled", **small, **more}
    return RunSettings(**{"objectives": CORAL, **given})  # type: ignore[arg-type]


def site(patient: int) -> str | None:
    """Two sites, patients of whom it is not known, and one a part of a site with few scans."""
    return "rare" if patient == 4 else ("A", "B", None)[patient % 3]


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_collection(tmp_path_factory.mktemp("domains") / "c", site=site)


@pytest.fixture(scope="module")
def prepared(collection: Path) -> Prepared:
    return open_prepared(collection, settings_of(collection))


class Notes(Silent):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_domains_are_those_of_the_scans_to_learn_from(prepared: Prepared) -> None:
    settings = settings_of(Path("c"))
    found = domains_of(prepared.table, prepared.split, settings)
    assert found is not None
    told = alignment_told(found, settings)
    assert (told["objectives"], told["column"]) == (CORAL, "site")
    # of 20 patients of train and 6 without labels, two scans each; a site of four scans is not one
    counts = {"A": 2 * (7 + 2), "B": 2 * (6 + 1)}
    assert told["values"] == counts
    assert told["unknown"] == 52 - sum(counts.values())
    assert sorted(set(found.tune.tolist())) == [-1, 0, 1]
    assert hashes_of(None) == []
    assert hashes_of(found) != hashes_of(found._replace(train=1 - found.train))


def test_the_key_of_a_run_holds_the_domains(prepared: Prepared) -> None:
    keys = {
        study_key(settings_of(Path("c"), **more), prepared, None)
        for more in ({}, {"domain": "modality"}, {"objectives": {}}, {"views": ("style",)})
    }
    assert len(keys) == 4


@pytest.mark.slow
def test_it_is_told_in_all_that_leaves_the_house(collection: Path, tmp_path: Path) -> None:
    settings = settings_of(collection, domain="Site", fine_tune="none", views=("style",))
    seen = Notes()
    result = run_study(settings, tmp_path / "run", seen)
    words = "deep-coral (weight 1) by site: "
    assert [text for text in seen.notes if text.startswith(f"domain alignment: {words}")]
    told = result.metrics["alignment"]
    assert told["column"] == "site"
    card = (tmp_path / "run" / "bundle" / "README.md").read_text()
    assert "## Aligned while the autoencoder learned" in card
    assert "another scan's grey levels (style, up to 100 %)" in card
    assert result.metrics["views"] == {"style": 1.0}
    assert words in (tmp_path / "run" / "report.html").read_text()
    replayed = settings_from(read_toml(tmp_path / "run" / "config.toml"))
    assert replayed == settings
    again = Notes()
    assert run_study(replayed, tmp_path / "run", again).metrics == result.metrics
    assert "nothing has changed" in again.notes[-1]


@pytest.mark.slow
def test_an_encoder_tells_those_that_are_made_from_it(collection: Path, tmp_path: Path) -> None:
    adversary = {"domain-adversarial": 0.5}
    settings = settings_of(collection, objectives=adversary, fine_tune="none", views=("fourier",))
    encoder = tmp_path / "encoder"
    pretrain_collection(collection, encoder, settings, Silent())
    told = json.loads((encoder / "encoder.json").read_text())["alignment"]
    assert load_encoder(encoder).alignment == told
    assert load_encoder(encoder).looks == {"fourier": 0.5}
    assert "domain-adversarial (weight 0.5) by site: " in (encoder / "report.html").read_text()
    seen = Notes()
    fit_collection(collection, encoder, tmp_path / "bundle", settings, seen)
    assert [text for text in seen.notes if text.startswith("Domains aligned by domain-adv")]
    assert "Views borrowed amplitudes (fourier, up to 50 %)." in seen.notes
    assert "Domains aligned by" in (tmp_path / "bundle" / "README.md").read_text()


@pytest.mark.slow
def test_scans_of_the_target_without_labels_share_the_encoder_and_are_aligned(
    tmp_path: Path,
) -> None:
    """One encoder rebuilds the scans of both places; of the target no label is looked at."""
    source = write_collection(tmp_path / "source", site=lambda patient: "A")
    target = write_collection(tmp_path / "target", site=lambda patient: "B", prefix="b")
    more = {"unlabelled": (str(target),), "objectives": {"mmd": 1.0}, "fine_tune": "none"}
    found = run_study(settings_of(source, **more), tmp_path / "run").metrics
    assert found["alignment"]["values"] == {"A": 52, "B": 108}
    assert found["test"]["auroc"]["n_scans"] == 20
    collection = Collection.open(tmp_path / "run" / "collection").metadata()
    assert collection.pretrain_only.sum() == 108
    assert set(collection.label[collection.site == "B"].tolist()) == {""}
    bundle, out = tmp_path / "run" / "bundle", tmp_path / "tested"
    tested, _ = evaluate_bundle(bundle, target, out, Silent())
    assert tested["test"]["auroc"]["n_scans"] == 96


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"domain": "site", "objectives": {}}, "--domain.*add --objective domain-adversarial"),
        ({"epochs": 0}, "--epochs 0"),
    ],
)
def test_what_would_have_no_effect_is_refused(more: dict[str, object], said: str) -> None:
    with pytest.raises(StopError, match=f"E_OPTION.*{said}"):
        check_asked(settings_of(Path("c"), **more))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"domain": "scanner"}, "no column 'scanner'.*has site"),
        ({"domain": "patient_id"}, "no column 'patient_id'"),
        ({"leave_out": "site"}, "1 values have 8 scans"),
    ],
)
def test_what_cannot_be_aligned_is_refused_before_training(
    prepared: Prepared, more: dict[str, object], said: str
) -> None:
    with pytest.raises(StopError, match=f"E_OPTION.*{said}"):
        check_domains(prepared, settings_of(Path("c"), **more))


def test_one_site_is_refused(tmp_path: Path) -> None:
    path = write_collection(tmp_path / "c", site=lambda patient: "A")
    settings = settings_of(path)
    with pytest.raises(StopError, match=r"E_OPTION.*1 values have 8 scans"):
        pretrain_collection(path, tmp_path / "e", settings, Silent())


def test_the_example_in_the_docstring_runs() -> None:
    found = doctest.testmod(alignment)
    assert (found.attempted, found.failed) == (3, 0)
