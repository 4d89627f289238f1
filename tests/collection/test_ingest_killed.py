"""An ingest that is killed or interrupted: what is there holds, and the next call goes on."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ingest_calls import ONE_EACH, UPDATE, Png, Settings

from latentdx.collection import ingest_job as job_module
from latentdx.collection.ingest import ingest
from latentdx.collection.store import Collection
from latentdx.core.errors import LatentdxError

pytestmark = pytest.mark.usefixtures("quick_decoding")


KILLED = """
import os, signal, sys
from pathlib import Path
from latentdx.collection import ingest as module
from latentdx.collection import ingest_job
from latentdx.collection.plan import IngestSettings

ingest_job._WRITE_SECONDS = 0.0
def progress(done, total):
    if done == 7:
        os.kill(os.getpid(), signal.SIGKILL)
settings = IngestSettings(one_scan_per_patient=True, key=b"k" * 32, workers=1)
module.ingest([Path(sys.argv[1])], Path(sys.argv[2]), settings, progress)
"""


def test_a_killed_ingest_goes_on_where_it_stopped(
    folder: Path, tmp_path: Path, settings: Settings, decoded: list[str]
) -> None:
    arguments = [sys.executable, "-c", KILLED, str(folder), str(tmp_path / "c")]
    assert subprocess.run(arguments, check=False).returncode == -signal.SIGKILL
    with pytest.raises(LatentdxError, match="not finished"):
        Collection.open(tmp_path / "c")
    options = {"key": b"k" * 32, **ONE_EACH}
    report = ingest([folder], tmp_path / "c", settings(**options))
    assert (report.n_reused, report.n_scans) == (7, 12)
    assert decoded == ["p03.png", "p05.png", "p07.png", "p09.png", "p11.png"]
    ingest([folder], tmp_path / "whole", settings(**options))
    resumed, whole = Collection.open(tmp_path / "c"), Collection.open(tmp_path / "whole")
    assert resumed.metadata().scan_id.tolist() == whole.metadata().scan_id.tolist()
    np.testing.assert_array_equal(resumed.pixels(), whole.pixels())
    assert resumed.info == whole.info


CHANGED = """
import os, signal, sys
from pathlib import Path
from latentdx.collection import ingest as module
from latentdx.collection import ingest_job
from latentdx.collection.plan import IngestSettings

ingest_job._WRITE_SECONDS = 0.0
def progress(done, total):
    if done == 10:
        os.kill(os.getpid(), signal.SIGKILL)
settings = IngestSettings(one_scan_per_patient=True, key=b"k" * 32, workers=1, may_update=True,
                          for_training=False)
module.ingest([Path(sys.argv[1])], Path(sys.argv[2]), settings, progress)
"""


def test_a_killed_update_leaves_each_scan_old_or_new(
    folder: Path, tmp_path: Path, settings: Settings, png: Png
) -> None:
    options = {"key": b"k" * 32, **ONE_EACH, **UPDATE}
    ingest([folder], tmp_path / "c", settings(**options))
    before = dict(hashes(tmp_path / "c"))
    for index in range(0, 12, 2):
        png(folder / "no" / f"p{index:02}.png", 100 + index)
    arguments = [sys.executable, "-c", CHANGED, str(folder), str(tmp_path / "c")]
    assert subprocess.run(arguments, check=False).returncode == -signal.SIGKILL
    between = hashes(tmp_path / "c")
    assert sorted(path for path, _ in between) == sorted(before)
    changed = sorted(path for path, content in between if before[path] != content)
    assert changed == [f"no/p{index:02}.png" for index in (0, 2, 4, 6)]
    ingest([folder], tmp_path / "c", settings(**options))
    ingest([folder], tmp_path / "whole", settings(**options))
    assert sorted(hashes(tmp_path / "c")) == sorted(hashes(tmp_path / "whole"))


def hashes(path: Path) -> list[tuple[str, str]]:
    table = Collection.open(path).metadata()
    return list(zip(table.path.tolist(), table.content_hash.tolist(), strict=True))


def test_an_interrupted_ingest_can_be_changed(
    folder: Path, tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_module, "_WRITE_SECONDS", 0.0)

    def stop(done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest([folder], tmp_path / "c", settings(**ONE_EACH), stop)
    report = ingest([folder], tmp_path / "c", settings(patient_pattern=r"p\d+"))
    assert (report.n_reused, report.n_scans, report.n_patients) == (0, 12, 12)
    patients = Collection.open(tmp_path / "c").metadata().patient.tolist()
    assert not any(name.startswith("scan:") for name in patients)
