import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from report_content import FEATURES, binary_content, content_of, examples, five, three_class_content

from latentdx.report.content import Examples
from latentdx.report.page import measure_of, render

HOSTILE = '<script>alert("x")</script>&\'"><img src=x onerror=alert(1)>'
VOID = {"meta", "link", "img", "br", "hr", "input"}


class Reader(HTMLParser):
    """The page's elements, attributes and text; fails on a tag left open or closed twice."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.attributes, self.text, self.comments = [], [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read(page):
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def words(page):
    return re.sub(r"\s+", " ", " ".join(read(page).text))


@pytest.fixture(scope="module")
def binary():
    return binary_content()


@pytest.fixture(scope="module", params=[binary_content, three_class_content])
def page(request):
    return render(request.param())


def test_the_page_asks_nothing_of_any_network_and_runs_nothing(page):
    found = read(page)
    assert "script" not in found.tags
    for _, name, value in found.attributes:
        assert not name.startswith("on")
        if name in {"src", "href", "xlink:href", "data", "action", "srcset", "poster"}:
            assert value.startswith(("#", "data:"))
        if name.split(":")[0] != "xmlns":
            assert "http://" not in value
            assert "https://" not in value
            assert all(target.startswith("#") for target in re.findall(r"url\((.*?)\)", value))
    assert "@import" not in page
    assert "default-src 'none'" in page


def test_ids_are_unique_and_every_reference_finds_its_own(page):
    found = read(page)
    ids = [value for _, name, value in found.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    aimed = [v[1:] for _, n, v in found.attributes if n.endswith("href") and v.startswith("#")]
    aimed += [v for _, n, v in found.attributes if n == "aria-labelledby"]
    aimed += re.findall(r"url\(#(.*?)\)", page)
    assert set(aimed) <= set(ids)


def test_each_figure_is_well_formed_xml(page):
    figures = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    assert len(figures) == 6
    for figure in figures:
        ElementTree.fromstring(figure)


def test_the_same_content_gives_the_same_bytes(binary):
    assert render(binary) == render(content_of.__wrapped__(binary.classes))


def test_the_numbers_shown_are_those_given(binary):
    test = {**binary.metrics["test"], "auroc": five(0.7654321), "brier": five(0.12349)}
    baselines = {"hog-svm": {"auroc": five(0.6543, 0.02)}}
    shown = words(render(binary_content(metrics={"test": test, "baselines": baselines})))
    assert "AUROC 0.765 (0.725–0.805)" in shown
    assert "Brier score 0.123 (0.083–0.163)" in shown
    assert "200 scans, 150 patients" in shown
    assert "Edge histograms (HOG), SVM 0.654 0.634–0.674" in shown
    assert "Edge histograms (HOG), SVM 0.654 " in shown


def test_what_a_reader_looks_for_is_there(binary):
    shown = words(render(binary))
    for text in (
        binary.verdict, "breast-ultrasound", "Control: shuffled labels", "threshold 0.420",
        "A scan is called “malignant” from a probability of 0.420", "140 (96)", "1,240 (880)",
        "4 files were set aside", "near-duplicate", "site/near-duplicate/0b.png", "north",
        "among them for 90 % of scans", "Answered fraction 0.830", "27.4", "0.0021",
        "1 min 36 s", "autoencoder convolutional", "split 9f2c", "not a medical device",
        "19 patients in tune", "patient-cluster bootstrap",
    ):  # fmt: skip
        assert text in shown, text


def test_the_decisions_are_counted_by_label(binary):
    found = read(render(binary))
    counts = np.zeros((2, 2), dtype=int)
    np.add.at(counts, (binary.labels, binary.decisions), 1)
    text = " ".join(" ".join(found.text).split())
    (a, b), (c, d) = counts.tolist()
    assert f"benign {a} {a} % {b} {b} % malignant {c} {c} % {d} {d} %" in text


def test_hostile_names_and_paths_stay_text(binary):
    finding = {"code": HOSTILE, "severity": HOSTILE, "count": 1, "text": HOSTILE,
               "examples": [[HOSTILE, HOSTILE]]}  # fmt: skip
    metrics = {
        **binary.metrics, "warnings": [HOSTILE], "baselines": {HOSTILE: {"auroc": five(0.6)}},
        "subgroups": [{"column": HOSTILE, "value": HOSTILE}], "seconds": {HOSTILE: 1.0},
    }  # fmt: skip
    hostile = binary_content(
        name=HOSTILE, classes=(HOSTILE, HOSTILE + "2"), verdict=HOSTILE, invalid=HOSTILE,
        audit={"valid": True, "findings": [finding]}, parts={HOSTILE: {HOSTILE: (1, 1)}},
        metrics=metrics, settings={HOSTILE: HOSTILE}, provenance={HOSTILE: HOSTILE},
        rivals={HOSTILE: binary.probabilities},
    )  # fmt: skip
    page = render(hostile)
    found = read(page)
    assert "script" not in found.tags
    assert not [name for _, name, _ in found.attributes if name.startswith("on")]
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert found.text.count(HOSTILE) > 10


def test_paths_that_are_no_text_do_not_stop_the_page():
    finding = {"code": "duplicate", "severity": "info", "count": 1, "text": "one",
               "examples": [["scan-\udce9\x00.png"]]}  # fmt: skip
    changed = binary_content(name="\udce9", audit={"valid": True, "findings": [finding]})
    render(changed).encode("utf-8")


def test_every_section_of_an_invalid_run_says_so(binary):
    page = render(binary_content(invalid="4 test patients were in train"))
    sections = re.findall(r"<section.*?</section>", page, flags=re.DOTALL)
    assert len(sections) == 8
    for part in (page[: page.index("<section")], *sections):
        assert "4 test patients were in train" in part
        assert part.count("INVALID.") == 1
    assert "INVALID" not in render(binary)


def nothing(tree):
    return {key: nothing(v) if isinstance(v, dict) else None for key, v in tree.items()}


@pytest.mark.parametrize("make", [binary_content, three_class_content])
def test_null_and_missing_metrics_are_dashes(make):
    empty = nothing(make().metrics)
    for metrics in (empty, {}, {"test": None, "baselines": None}, {"test": {"auroc": None}}):
        shown = words(render(make(metrics=metrics, audit={})))
        assert "AUROC – (–) 0.5 is chance, 1 is perfect – scans, – patients" in shown


def test_a_nan_is_a_dash_and_bars_stay_within_their_track():
    assert measure_of({"value": float("nan"), "low": None, "high": 2.0}).value == "–"
    assert measure_of({"value": 0.5, "low": -0.1, "high": 1.7}).bar == (50.0, 0.0, 100.0)
    assert measure_of({"value": 0.5, "low": None, "high": 1.0}).bar is None


def test_a_run_with_nothing_in_it_still_has_a_page():
    none = np.zeros((0, 2))
    page = render(
        binary_content(
            labels=np.zeros(0, dtype=int), probabilities=none, decisions=np.zeros(0, dtype=int),
            rivals={}, map_points=none, map_labels=np.zeros(0, dtype=int), history=[], parts={},
            metrics={}, settings={}, provenance={}, threshold=None,
            examples=Examples(np.zeros((0, 1, 8, 8)), np.zeros((0, 1, 8, 8)), np.zeros(0), none),
        )
    )  # fmt: skip
    assert words(page).count("Nothing to draw") == 6
    assert "No examples were kept" in page


def test_one_class_in_the_test_part_leaves_out_the_roc_curve():
    content = binary_content(labels=np.ones(200, dtype=int))
    assert "Nothing to draw" in render(content)


def test_twelve_scans_weigh_less_than_three_megabytes_whatever_they_show():
    for channels, side in ((1, 256), (3, 256)):
        noise = np.random.default_rng(0).random((14, channels, side, side), dtype=np.float32)
        probabilities = np.full((14, 2), 0.5)
        shown = Examples(noise, noise[::-1], np.zeros(14, dtype=int), probabilities)
        page = render(binary_content(examples=shown))
        assert len(page.encode()) < 3_000_000
        assert page.count("<img") == 36
        assert "12 of 14 examples are shown" in page


@pytest.mark.parametrize("shape", [(2, 1, 8, 8), (2, 2, 8, 8), (2, 3, 8, 8), (2, 1, 5, 8, 8)])
def test_examples_may_have_channels_or_depth(shape):
    pixels = np.random.default_rng(0).random(shape, dtype=np.float32)
    shown = Examples(pixels, pixels * 0.9, np.array([0, -1]), np.full((2, 2), 0.5))
    page = render(binary_content(examples=shown))
    assert page.count("data:image/png;base64,") == 6
    assert "no label" in page


def test_a_wrong_call_is_marked():
    generator = np.random.default_rng(1)
    labels, probabilities = np.array([0, 1]), np.array([[0.5, 0.5], [0.5, 0.5]])
    shown = words(render(binary_content(examples=examples(labels, probabilities, 16, generator))))
    assert "benign by label; called malignant ✕ probability of malignant: 0.500" in shown
    assert "malignant by label; called malignant probability" in shown


def test_many_classes_with_long_names_are_drawn():
    names = tuple(f"finding number {k} with a rather long name $x_{k}$" for k in range(14))
    assert read(render(content_of(names, n_scans=280))).tags.count("svg") == 6


def test_a_choice_of_features_is_shown_where_one_was_made():
    plain = binary_content()
    assert "Choice of the features" not in render(plain)
    page = render(binary_content(metrics={**plain.metrics, "features": FEATURES}))
    assert "65 scans of 49 patients of the part" in page
    rows = re.findall(
        r'<th scope="row">(pooled|multi-scale)([^<]*)</th><td class="n">([^<]*)', page
    )
    assert rows == [("pooled", "", "0.520"), ("multi-scale", ", chosen", "0.439")]


def test_nearly_equal_scans_lie_side_by_side():
    content = binary_content()
    paths = [f"site/near-duplicate/0{end}.png" for end in ("", "b")]
    scans = dict.fromkeys([*paths, "site/near-duplicate/1.png"], np.full((1, 8, 8), 0.5))
    page = render(replace(content, alike=scans))
    assert page.count('<figure class="alike">') == 1
    assert all(f'alt="{path}"' in page for path in paths)
    assert '<figure class="alike">' not in render(content)


def test_the_worst_scans_are_shown_where_there_are_any(binary):
    worst = replace(binary.examples, labels=1 - binary.examples.labels)
    page = render(binary_content(worst=worst))
    section = re.search(r'<section aria-labelledby="fails">.*?</section>', page, re.DOTALL)[0]
    assert section.count("<li>") == len(worst.pixels)
    called = (worst.probabilities[:, 1] >= binary.threshold).astype(int)
    assert section.count("✕") == int((called != worst.labels).sum()) > 0
    empty = replace(worst, **{name: getattr(worst, name)[:0] for name in vars(worst)})
    assert "No test scan was decided wrongly." in words(render(binary_content(worst=empty)))
    assert "wrongly" not in words(render(binary))


def test_the_order_leads_from_the_data_to_what_it_cost(binary):
    found = re.findall(r'<section aria-labelledby="(.*?)">', render(binary))
    assert found == ["data", "result", "worth", "fails", "decides", "sees", "made", "limits"]


def test_sentences_stand_apart(binary):
    shown = words(render(binary_content(decided=("It decides.", "So it does."))))
    assert "from a probability of 0.420. It decides. So it does." in shown
