"""Curves for TensorBoard and MLflow, where they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Literal, get_args

from latentdx.autoencoder.engine.checkpoint import Epoch
from latentdx.core.errors import StopError

Tracker = Literal["tensorboard", "mlflow"]
Tell = Callable[[int, Epoch], None]


@contextmanager
def tracked(names: Sequence[Tracker], folder: Path, facts: Mapping[str, Any]) -> Iterator[Tell]:
    """A function of (number, epoch) that tells every tracker in `names`.

    TensorBoard's events lie in `folder`/tensorboard. MLflow logs to the server of
    MLFLOW_TRACKING_URI, else into `folder`/mlflow. `facts` are the settings of the training.
    Raises `StopError` ``E_EXTRA`` where a tracker is not installed.
    """
    with ExitStack() as stack:
        tells = [stack.enter_context(_TRACKERS[name](folder, facts)) for name in names]

        def tell(number: int, epoch: Epoch) -> None:
            for told in tells:
                told(number, epoch)

        yield tell


def scalars(epoch: Epoch) -> dict[str, float]:
    """The numbers of an epoch by name; what was not measured is left out.

    Examples
    --------
    >>> scalars(Epoch(0.5, float("nan"), 100.0, {"kl": 0.1}))
    {'loss': 0.5, 'images_per_second': 100.0, 'terms/kl': 0.1}
    """
    found = {"loss": epoch.loss, "tune_loss": epoch.tune_loss}
    found["images_per_second"] = epoch.images_per_second
    found |= {f"terms/{name}": value for name, value in epoch.terms.items()}
    found |= {f"health/{name}": value for name, value in epoch.health.items()}
    return {name: value for name, value in found.items() if value == value}


@contextmanager
def _tensorboard(folder: Path, facts: Mapping[str, Any]) -> Iterator[Tell]:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise _missing("tensorboard") from None
    writer = SummaryWriter(folder / "tensorboard")
    writer.add_text("settings", "\n".join(f"    {name}: {value}" for name, value in facts.items()))

    def tell(number: int, epoch: Epoch) -> None:
        for name, value in scalars(epoch).items():
            writer.add_scalar(name, value, number)
        writer.flush()

    try:
        yield tell
    finally:
        writer.close()


@contextmanager
def _mlflow(folder: Path, facts: Mapping[str, Any]) -> Iterator[Tell]:
    try:
        import mlflow
    except ImportError:
        raise _missing("mlflow") from None
    import os

    if "MLFLOW_TRACKING_URI" not in os.environ:
        folder.mkdir(parents=True, exist_ok=True)
        mlflow.set_tracking_uri(f"sqlite:///{folder.resolve() / 'mlflow.db'}")
    mlflow.set_experiment("latentdx")
    with mlflow.start_run():
        mlflow.log_params({name: str(value)[:500] for name, value in facts.items()})

        def tell(number: int, epoch: Epoch) -> None:
            mlflow.log_metrics(scalars(epoch), step=number)

        yield tell


def _missing(name: str) -> StopError:
    found = f"{name} is not installed"
    return StopError("E_EXTRA", found, fix="pip install 'latentdx[track]'")


_TRACKERS: dict[Tracker, Callable[[Path, Mapping[str, Any]], Any]] = {
    "tensorboard": _tensorboard,
    "mlflow": _mlflow,
}
assert set(_TRACKERS) == set(get_args(Tracker))
