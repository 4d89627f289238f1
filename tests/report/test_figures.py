import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import matplotlib
import numpy as np
import pytest
from report_content import binary_content, three_class_content

from latentdx.report import figures
from latentdx.report.figures import Curve, Row

NAMES = ("$a_1$ & <b>", "_hidden", "肺炎")


def text_of(figure):
    root = ElementTree.fromstring(figure)
    return [node.text for node in root.iter() if node.tag.endswith("}text") and node.text]


def all_figures(content):
    labels, probabilities, classes = content.labels, content.probabilities, content.classes
    return {
        "roc": figures.roc([Curve("model", labels == 1, probabilities[:, 1], 0.9)]),
        "distributions": figures.distributions(labels, probabilities, classes, content.threshold),
        "reliability": figures.reliability(labels, probabilities),
        "forest": figures.forest([Row("model", "model", 0.9, 0.8, 0.95)]),
        "map": figures.embedding_map(content.map_points, content.map_labels, classes),
        "training": figures.training(content.history),
    }


@pytest.fixture(scope="module", params=[binary_content, three_class_content])
def content(request):
    return request.param()


def test_the_same_input_gives_the_same_bytes_whatever_the_users_settings(content):
    first = all_figures(content)
    with matplotlib.rc_context({"font.size": 30, "axes.grid": False, "svg.hashsalt": "other"}):
        assert all_figures(content) == first


def test_drawing_leaves_matplotlib_as_it_was(content):
    before = dict(matplotlib.rcParams)
    all_figures(content)
    assert dict(matplotlib.rcParams) == before


def test_pyplot_is_never_imported():
    code = "import sys, latentdx.report.page; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0


def test_a_figure_has_its_own_ids_and_no_fixed_size_or_date(content):
    for name, figure in all_figures(content).items():
        assert figure.startswith('<svg role="img" aria-label="')
        assert all(i.startswith(f"{name}-") for i in re.findall(r'\bid="(.*?)"', figure))
        assert " width=" not in figure[: figure.index(">")]
        assert "<metadata" not in figure
        assert "<style" not in figure


def test_ink_and_lines_follow_the_page(content):
    for figure in all_figures(content).values():
        assert "var(--ink,#1d2733)" in figure or "var(--soft,#5d6876)" in figure
        rest = re.sub(r"var\(--\w+,#\w+\)", "", figure)
        assert not re.search("#(1d2733|5d6876|dbe1e8|fffffe)", rest)


def test_roc_legend_states_the_area_that_was_given():
    labels, scores = np.array([0, 0, 1, 1]), np.array([0.1, 0.6, 0.4, 0.9])
    curves = [Curve("mine", labels == 1, scores, 0.75), Curve("other", labels == 1, scores, None)]
    found = text_of(figures.roc(curves))
    assert "mine  0.750" in found
    assert "other  –" in found


@pytest.mark.parametrize("scores", [[0.1, np.nan, 0.2, 0.3], [0.1, 0.2, 0.3, 0.4]])
def test_a_curve_that_cannot_be_drawn_is_left_out(scores):
    one_class = np.zeros(4, dtype=bool) if not np.isnan(scores).any() else np.arange(4) > 1
    assert figures.roc([Curve("x", one_class, np.array(scores), None)]) == ""


def test_names_are_shown_as_they_are(content):
    labels = content.map_labels % 3
    found = text_of(figures.embedding_map(content.map_points, labels, NAMES))
    for k, name in enumerate(NAMES[: labels.max() + 1]):
        assert f"{name} ({(labels == k).sum()})" in [text.strip() for text in found]


def test_unlabelled_points_are_counted_apart():
    points, labels = np.random.default_rng(0).normal(size=(5, 2)), np.array([0, 1, -1, -1, 7])
    assert "no label (3)" in text_of(figures.embedding_map(points, labels, ("a", "b")))


def test_the_threshold_is_drawn_and_may_be_missing():
    content = binary_content()
    given = (content.labels, content.probabilities, content.classes)
    assert "threshold 0.420" in text_of(figures.distributions(*given, 0.42))
    assert "threshold" not in " ".join(text_of(figures.distributions(*given, None)))


def test_reliability_counts_every_scan(content):
    found = text_of(figures.reliability(content.labels, content.probabilities))
    assert sum(int(text) for text in found if text.isdigit()) == len(content.labels)


def test_forest_shows_gaps_as_dashes():
    rows = [
        Row("model", "model", 0.9, 0.85, 0.94), Row("no interval", "baseline", 0.6, None, None),
        Row("nothing", "control", None, None, None),
    ]  # fmt: skip
    found = text_of(figures.forest(rows))
    assert {"0.900 (0.850–0.940)", "0.600", "–"} <= set(found)
    assert figures.forest(rows[2:]) == ""


def test_training_skips_what_is_not_known():
    history = [
        {"epoch": 1, "loss": 0.5},
        {"epoch": 2, "loss": 0.4, "tune_loss": None},
        {"epoch": 3, "loss": float("nan"), "tune_loss": 0.6},
    ]
    found = text_of(figures.training(history))
    assert {"training scans", "tune scans"} <= set(found)
    assert "tune scans" not in text_of(figures.training(history[:2]))
    assert figures.training([{"epoch": 1}]) == ""


def test_no_data_no_figure():
    none, table = np.zeros(0, dtype=int), np.zeros((0, 2))
    assert figures.distributions(none, table, ("a", "b"), 0.5) == ""
    assert figures.reliability(none, table) == ""
    assert figures.embedding_map(table, none, ("a", "b")) == ""
    assert figures.training([]) == figures.roc([]) == figures.forest([]) == ""


def test_large_test_parts_stay_light():
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 3, 20_000)
    probabilities = generator.dirichlet(np.ones(3), 20_000)
    points = generator.normal(size=(20_000, 2))
    heavy = [
        figures.embedding_map(points, labels, NAMES),
        figures.distributions(labels, probabilities, NAMES, None),
        figures.roc([Curve("x", labels == 1, probabilities[:, 1], 0.5)]),
    ]
    assert max(len(figure) for figure in heavy) < 400_000
