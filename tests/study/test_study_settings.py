"""Settings: from values and TOML, back to TOML, and what is wrong with them."""

import pytest

from latentdx.core.errors import StopError
from latentdx.study.settings import RunSettings, read_toml, settings_from

FULL = {
    "source": 'a "strange"\\folder\nwith lines',
    "labels": "labels.csv",
    "task": "classes",
    "unlabelled": ("more", "yet more"),
    "labelled": 50,
    "size": 64,
    "channels": 3,
    "dims": 2,
    "slices": 4,
    "frames": "each",
    "volume_index": 1,
    "window": [40.0, 400.0],
    "nan": "impute",
    "spacing_mm": 1.5,
    "crop": True,
    "windows": ((-600.0, 1500.0), (40.0, 400.0), (400.0, 1800.0)),
    "region": "lung",
    "bias_field": True,
    "scale": "body",
    "measures": True,
    "burned_in": "mask",
    "identity_map": True,
    "seed": 12,
    "minutes": 1.5,
    "patient_pattern": r"person\d+",
    "one_scan_per_patient": True,
    "label_map": {"malignent": "malignant", "a b": "=c"},
    "positive": "malignant",
    "order": ("none", "mild", "severe"),
    "unit": "years",
    "folds": 4,
    "seeds": 3,
    "leave_out": "site",
    "adapt": "combat",
    "overlap": "drop",
    "strict": True,
    "autoencoder": "convolutional",
    "latent_dim": 32,
    "focus": "body",
    "network": {"widths": [8, 16], "attention": "both"},
    "objectives": {"vicreg": 0.04},
    "domain": "scanner",
    "augment": True,
    "batch_size": 64,
    "accumulate": 2,
    "learning_rate": 0.001,
    "schedule": "constant",
    "ema": 0.99,
    "deterministic": True,
    "epsilon": 3.0,
    "delta": 1e-6,
    "sharding": "full",
    "track": ("tensorboard",),
    "modality": "ct",
    "views": ("fourier", "style"),
    "start": "starter",
    "freeze": 2,
    "low_rank": 4,
    "epochs": 3,
    "precision": "fp32",
    "classifier": "knn",
    "features": "latent",
    "covariates": ("age", "ward_of_stay"),
    "flip": False,
    "semi_supervised": "spread",
    "fine_tune": "last",
    "loss": "focal=1.5",
    "class_weights": "none",
    "sampling": "square-root",
    "calibration": "isotonic",
    "decide_by": "study",
    "pool": "attention",
    "prediction_sets": "mondrian:site",
    "coverage": 0.8,
    "risk": 0.1,
    "target": "sensitivity>=0.9",
    "cnn_from_scratch": True,
    "gate_rate": 0.03,
    "prevalence": 0.02,
    "language": "zh",
    "terms": {"mass": {"parent": "opacity", "icd10": "R91.8"}, "a b": {"snomed": "4147007"}},
    "rules": (
        {
            "text": "under one year",
            "when": {"age": "< 1", "view": ["AP", "PA"]},
            "if_unknown": "abstain",
        },
    ),
}


@pytest.mark.parametrize("values", [FULL, {"source": "scans"}])
def test_toml_gives_the_same_settings_again(tmp_path, values):
    settings = settings_from(values)
    path = tmp_path / "config.toml"
    path.write_text(settings.to_toml())
    assert settings_from(read_toml(path), path) == settings


def test_the_test_names_every_setting():
    assert set(FULL) == set(RunSettings.model_fields)


def test_differences_are_those_that_change_a_result():
    first = settings_from(FULL)
    assert first.differences(settings_from({**FULL, "minutes": 9})) == []
    other = settings_from({**FULL, "seed": 1, "unlabelled": ("more",)})
    assert first.differences(other) == ["seed", "unlabelled"]


def test_settings_do_not_change():
    with pytest.raises(ValueError, match="frozen"):
        settings_from(FULL).seed = 3


@pytest.mark.parametrize(
    ("values", "found", "fix"),
    [
        ({"sorce": "x", "source": "y"}, "there is no setting 'sorce'", "did you mean 'source'?"),
        ({"source": "y", "zzz": 1}, "there is no setting 'zzz'", "the settings are source, labels"),
        ({}, "source: field required", "correct 'source'"),
        ({"source": "y", "size": 4}, "size: input should be greater than or equal to 8", "'size'"),
        ({"source": "y", "label_map": {"a": 1}}, "label_map.a: input should be a valid", "label"),
    ],
)
def test_what_is_wrong_is_named(values, found, fix):
    with pytest.raises(StopError) as caught:
        settings_from(values)
    assert caught.value.code == "E_CONFIG"
    assert found in caught.value.found
    assert fix in caught.value.fix


@pytest.mark.parametrize("data", [b"source = ", b"\xff\xfe\x00", None])
def test_a_file_that_is_no_toml(tmp_path, data):
    path = tmp_path / "c.toml"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(StopError) as caught:
        read_toml(path)
    assert (caught.value.code, caught.value.path) == ("E_CONFIG", str(path))
