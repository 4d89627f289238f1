"""`suggest` on the command line, and the loop: suggest, label, ingest, fit, suggest."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from latentdx_command import Ended, table

from latentdx.collection.phantoms import PhantomSettings, write_phantoms

Call = Callable[..., Ended]


@pytest.mark.slow
def test_the_loop_of_labels(here: Call, tmp_path: Path) -> None:
    cohort = write_phantoms(tmp_path, PhantomSettings(60, labelled_fraction=0.5, size=32, seed=1))
    collection, encoder = tmp_path / "collection", tmp_path / "encoder"
    read = ("ingest", cohort.scans, "--to", collection, "--size", "16", "--labels")
    assert here(*read, cohort.labels).code == 0
    assert here("pretrain", collection, "--to", encoder, "--epochs", "1").code == 0
    call = ("suggest", collection, "--encoder", encoder, "--n", "5", "--out")
    ended = here(*call, tmp_path / "next.csv", "--labels", cohort.labels)
    assert ended.code == 0, ended.err
    rows = table(tmp_path / "next.csv")
    assert [row["rank"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert all(row["path"] in ended.out and row["why"] for row in rows)
    assert len({row["path"].partition("-")[0] for row in rows}) == 5  # patients
    assert (tmp_path / "next.html").read_text().count("<li>") == 5
    again = here(*call, tmp_path / "again.csv", "--json").json
    assert [item["path"] for item in again["suggestions"]] == [row["path"] for row in rows]

    filled = tmp_path / "filled.csv"
    asked = table(tmp_path / "next-to-label.csv")
    with filled.open("w", newline="") as file:
        writer = csv.DictWriter(file, asked[0])
        writer.writeheader()
        writer.writerows({**row, "label": row["label"] or "healthy"} for row in asked)
    assert here(*read, filled).code == 0
    # the encoder has not seen a held-out patient: the new labels have moved none
    fit = ("fit", collection, "--encoder", encoder, "--to", tmp_path / "bundle")
    fitted = here(*fit, "--semi-supervised", "spread")
    assert fitted.code == 0, fitted.err
    later = here(*call, tmp_path / "later.csv", "--json").json
    assert later["n_labelled"] == again["n_labelled"] + 5
    assert not {item["path"] for item in later["suggestions"]} & {row["path"] for row in rows}


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (("--strategy", "best"), "E_OPTION", "diversity"),
        (("--out", "{t}/a.txt"), "E_OPTION", ".csv"),
        (("--out", "{t}/no/a.csv"), "E_DESTINATION", "exist"),
        (("--out", "{t}/a.csv"), "E_COLLECTION", "{t}"),
    ],
)
def test_what_cannot_be_suggested_is_refused(
    here: Call, tmp_path: Path, more: tuple[str, ...], code: str, said: str
) -> None:
    asked = [word.format(t=tmp_path) for word in more]
    ended = here("suggest", tmp_path / "c", "--encoder", tmp_path / "e", *asked)
    assert (ended.code, ended.out) == (2, "")
    assert code in ended.err
    assert said.format(t=tmp_path) in ended.err
    assert not list(tmp_path.iterdir())
