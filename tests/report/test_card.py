import json
import re

import pytest
from report_content import FEATURES, binary_content, five, three_class_content

from latentdx.report.card import count, interval, number
from latentdx.report.model_card import render_card

AWKWARD = 'a: "b" # [c]\n---\n*d* <i>|`e`\u2028\x85\udce9 {{x}} - é肺😀'


def front_matter(card):
    head, start, body = card.split("---\n", 2)
    assert head == ""
    return start, body


def scalars(start):
    """The values of our block YAML, by key, in order; fails on a line that is not of its kind."""
    found = []
    for line in start.splitlines():
        matched = re.fullmatch(r"\s*(?:- )?([a-z_-]+)(?::(?: (.*))?)?", line)
        assert matched, line
        if matched[2]:
            quoted = matched[2].startswith('"')
            found.append((matched[1], json.loads(matched[2]) if quoted else matched[2]))
    return found


def test_the_card_reads_as_one():
    start, body = front_matter(render_card(binary_content(), {}))
    assert ("license", "other") in scalars(start)
    assert ("library_name", "latentdx") in scalars(start)
    assert ("type", "roc_auc") in scalars(start)
    titles = re.findall(r"^#+ (.*)$", body, flags=re.MULTILINE)
    assert titles[:7] == [
        "latentdx model: breast-ultrasound", "Intended use", "Training data", "Evaluation",
        "Baselines and controls", "Limits", "Checklists",
    ]  # fmt: skip
    assert [title.split(":")[0] for title in titles[7:]] == ["TRIPOD+AI", "CLAIM", "REFORMS"]
    assert "| train | without label | 1,240 | 880 |" in body
    assert "not a medical device" in body


@pytest.mark.parametrize("make", [binary_content, three_class_content])
def test_the_numbers_are_those_given(make):
    metrics = {"test": {"auroc": five(0.8765432), "brier": five(0.00001)}}
    start, body = front_matter(render_card(make(metrics=metrics), {}))
    assert ("value", "0.876543") in scalars(start)
    assert ("value", "0.000010") in scalars(start)
    assert "| AUROC | 0.877 | 0.837–0.917 |" in body
    assert "| Sensitivity | – | – |" in body
    assert "On 200 scans of 150 patients" in body


def test_any_name_gives_valid_yaml_and_plain_markdown():
    content = binary_content(
        name=AWKWARD, classes=(AWKWARD, "b"), verdict=AWKWARD, parts={AWKWARD: {AWKWARD: (1, 1)}}
    )
    card = render_card(content, {"autoencoder": AWKWARD})
    start, body = front_matter(card)
    clean = 'a: "b" # [c] --- *d* <i>|`e`    {{x}} - é肺😀'
    assert [value for key, value in scalars(start) if key == "name"][:2] == [clean, clean]
    assert "<i>" not in body
    assert "&lt;i&gt;\\|\\`e\\`" in body
    card.encode("utf-8")


def test_the_front_matter_is_read_by_a_yaml_reader():
    yaml = pytest.importorskip("yaml")
    start, _ = front_matter(render_card(binary_content(name=AWKWARD), {}))
    found = yaml.safe_load(start)
    metrics = found["model-index"][0]["results"][0]["metrics"]
    assert all(isinstance(metric["value"], float) for metric in metrics)


def test_an_invalid_run_has_no_scores_to_publish():
    card = render_card(binary_content(invalid="test patients in train"), {})
    start, body = front_matter(card)
    assert "model-index" not in start
    assert "INVALID" in body
    assert "test patients in train" in body


@pytest.mark.parametrize("metrics", [{}, {"test": None}, {"test": {"auroc": None}}])
def test_no_metrics_no_crash(metrics):
    start, body = front_matter(render_card(binary_content(metrics=metrics), {}))
    assert "model-index" not in start
    assert "| AUROC | – | – |" in body


def test_nothing_of_patients_paths_or_unknown_bundle_entries_gets_out():
    bundle = {"sha256": "ab12", "latent_dim": 64, "source": "ward/a.dcm", "patients": ["P1"],
              "classifier": {"path": "ward/b.dcm"}}  # fmt: skip
    content = binary_content(settings={"source": "ward/c.dcm"}, provenance={"host": "ward-7"})
    card = render_card(content, bundle)
    assert "| sha256 | ab12 |" in card
    assert "| latent dim | 64 |" in card
    assert "ward" not in card
    assert "P1" not in card
    assert "site/" not in card


def test_numbers_for_readers():
    given = (0.91234, 0.0, 1.0, 27.412, 1234.5, 0.00213, float("inf"), None, True, "x")
    shown = ["0.912", "0.000", "1.000", "27.4", "1,234", "0.0021", "–", "–", "–", "–"]
    assert [number(value) for value in given] == shown
    assert interval({"low": 0.1, "high": None}) == "–"
    assert [count(1240), count(None)] == ["1,240", "–"]


def test_the_same_content_gives_the_same_card():
    assert render_card(binary_content(), {"seed": 1}) == render_card(binary_content(), {"seed": 1})


def test_a_choice_of_features_is_told_where_one_was_made():
    plain = binary_content()
    assert "Choice of the features" not in render_card(plain, {})
    card = render_card(binary_content(metrics={**plain.metrics, "features": FEATURES}), {})
    assert "multi-scale, by 65 scans of 49 patients of `tune`." in card
    assert "| pooled | 0.520 | 0.081 | 0.022 |" in card
