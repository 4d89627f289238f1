"""TensorBoard's events and MLflow's runs hold what was told, read back by their own readers."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from latentdx.autoencoder.engine.checkpoint import Epoch
from latentdx.autoencoder.engine.tracking import Tracker, tracked

EPOCHS = [Epoch(0.5, math.nan, 100.0, {"kl": 0.25}), Epoch(0.4, 0.45, 90.0, {"kl": 0.2})]

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]


def told(name: Tracker, folder: Path) -> None:
    with tracked([name], folder, {"autoencoder": "variational"}) as tell:
        for number, epoch in enumerate(EPOCHS, 1):
            tell(number, epoch)


def test_tensorboard(tmp_path: Path) -> None:
    event_accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator"
    )
    told("tensorboard", tmp_path)
    found = event_accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    found.Reload()
    points = {
        name: [(e.step, e.value) for e in found.Scalars(name)] for name in found.Tags()["scalars"]
    }
    assert points["loss"] == [(1, pytest.approx(0.5)), (2, pytest.approx(0.4))]
    assert points["tune_loss"] == [(2, pytest.approx(0.45))]
    assert points["terms/kl"][1] == (2, pytest.approx(0.2))


def test_mlflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    told("mlflow", tmp_path)
    (run,) = mlflow.search_runs(experiment_names=["latentdx"], output_format="list")
    assert run.data.params["autoencoder"] == "variational"
    assert run.data.metrics["tune_loss"] == 0.45
    history = mlflow.MlflowClient().get_metric_history(run.info.run_id, "loss")
    assert [(point.step, point.value) for point in history] == [(1, 0.5), (2, 0.4)]
    assert (tmp_path / "mlflow.db").exists()
