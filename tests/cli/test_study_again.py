"""`latentdx run` from outside, once more: replayed, killed, called again, refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from latentdx_command import RESULTS, Ended, differences, killed_when, latentdx, metrics, visible
from phantom_hospital import Study, run_of

pytestmark = pytest.mark.slow


def test_its_settings_replay_it(study: Study, tmp_path: Path) -> None:
    again = latentdx("run", "--config", study.out / "config.toml", "--out", tmp_path / "again")
    assert again.code == 3, again.err
    assert not differences(metrics(study.out), metrics(tmp_path / "again"))
    assert same_files(study.out, tmp_path / "again")


def test_killed_thrice_it_ends_with_the_same_numbers(study: Study, tmp_path: Path) -> None:
    out = tmp_path / "out"
    checkpoints = out / ".work" / "pretrain"
    stages: list[Callable[[str], bool]] = [
        lambda said: "Reading scans" in said,
        lambda said: any(checkpoints.glob("step-*.safetensors")),
        lambda said: "Running the baselines" in said,
    ]
    for met in stages:
        killed_when(met, tmp_path / "log", *run_of(study, out))
        assert not (out / "metrics.json").exists()
    ended = latentdx(*run_of(study, out, "--json"))
    assert ended.code == 3, ended.err
    assert visible(out) == RESULTS
    assert not differences(metrics(study.out), metrics(out))
    assert same_files(study.out, out)


def same_files(first: Path, second: Path) -> bool:
    names = ("predictions.csv", "audit.json", "quarantine.csv", "bundle/checksums.json")
    return all((first / name).read_bytes() == (second / name).read_bytes() for name in names)


def test_called_again_it_returns_what_is_there(study: Study, here: Callable[..., Ended]) -> None:
    before = {path: path.stat().st_mtime_ns for path in (study.out / "bundle").iterdir()}
    again = here(*run_of(study, study.out, "--json"))
    assert again.code == 3
    assert "nothing has changed" in again.err
    assert "Training" not in again.err
    assert again.json == study.ended.json
    assert before == {path: path.stat().st_mtime_ns for path in (study.out / "bundle").iterdir()}


def test_other_settings_in_the_same_folder_are_refused(
    study: Study, here: Callable[..., Ended]
) -> None:
    before = (study.out / "config.toml").read_bytes()
    ended = here(*run_of(study, study.out, "--seed", "5", "--no-flip"))
    assert (ended.code, ended.out) == (2, "")
    assert "E_DESTINATION" in ended.err
    assert str(study.out) in ended.err
    assert "(flip, seed)" in ended.err
    assert (study.out / "config.toml").read_bytes() == before
