"""One small cohort with all that is awkward, and one whole study of it, for the session."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from latentdx_command import QUICK, Ended, latentdx, read_here
from phantom_hospital import Cohort, Study, write_hospital

from latentdx.collection.ingest import ingest
from latentdx.collection.phantoms import PhantomSettings, write_phantoms
from latentdx.collection.plan import IngestSettings


@pytest.fixture(autouse=True, scope="session")
def _user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A user with a key of their own, on one core."""
    with pytest.MonkeyPatch.context() as patch:
        key = tmp_path_factory.mktemp("user") / "pseudonym.key"
        patch.setenv("LATENTDX_KEY_FILE", str(key))
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


@pytest.fixture
def here(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Ended]:
    """The command line in this process: quicker by the imports and by the decoding processes."""

    def call(*args: object) -> Ended:
        from latentdx.cli.app import run
        from latentdx.scans.sandbox import Sandbox

        monkeypatch.setattr(Sandbox, "read", read_here)
        monkeypatch.setattr(sys, "argv", ["latentdx", *map(str, args)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            run()
        said = capsys.readouterr()
        return Ended(int(ended.value.code or 0), said.out, said.err)

    return call


@pytest.fixture(scope="session")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    return write_hospital(tmp_path_factory.mktemp("hospital"))


@pytest.fixture(scope="session")
def study(cohort: Cohort, tmp_path_factory: pytest.TempPathFactory, _user: None) -> Study:
    """`latentdx run --json` on the cohort, in a process of its own."""
    out = tmp_path_factory.mktemp("study") / "out"
    ended = latentdx(
        *("run", cohort.scans, "--labels", cohort.labels, "--out", out, "--json", *QUICK)
    )
    assert ended.code == 3, ended.err
    return Study(cohort, out, ended)


@pytest.fixture(scope="session")
def more_scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scans of other patients, for pretraining."""
    root = tmp_path_factory.mktemp("more")
    return write_phantoms(root, PhantomSettings(10, size=32, seed=9)).scans


@pytest.fixture(scope="session")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A collection of another hospital."""
    root = tmp_path_factory.mktemp("elsewhere")
    cohort = write_phantoms(root, PhantomSettings(24, labelled_fraction=1, size=32, seed=5))
    settings = IngestSettings(labels=cohort.labels, size=16, workers=1)
    return ingest([cohort.scans], root / "collection", settings).path
