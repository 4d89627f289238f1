"""What page and card say of shortcuts."""

from __future__ import annotations

from report_content import binary_content, five

from latentdx.report.page import render
from latentdx.report.shortcut_card import shortcut_section

SHORTCUTS = {
    "metadata": [
        {"name": "site | <b>", "auroc": five(0.812), "p_value": 0.015, "flagged": True},
        {"name": "sex", "auroc": five(0.503), "p_value": 1.0, "flagged": False},
    ],
    "pixels": [{"name": "border", "auroc": five(0.55), "p_value": 0.3, "flagged": False}],
    "embedding": [{"name": "age", "measure": "r2", "told": five(0.421)}],
    "score_at_equal_label": [
        {"column": "view", "value": "AP", "auroc": five(0.713), "p_value": 0.01, "flagged": True}
    ],
}


def metrics() -> dict[str, object]:
    return {**binary_content().metrics, "shortcuts": SHORTCUTS}


def test_the_card_counts_all_and_shows_what_is_surer_than_chance() -> None:
    told = shortcut_section(metrics())
    assert "1 of 3 columns and parts of the picture tell the label" in told
    assert "1 of 1 columns have groups that are scored apart" in told
    assert "| site \\| &lt;b&gt; | label | AUROC | 0.812 |" in told
    assert "| features | age | R2 | 0.421 |" in told
    assert "sex" not in told
    assert shortcut_section(binary_content().metrics) == ""


def test_the_page_shows_all_that_was_asked() -> None:
    page = render(binary_content(metrics=metrics()))
    assert "<h3>Shortcuts</h3>" in page
    assert "site | &lt;b&gt;" in page
    assert page.count("tells the label</td>") == 1
    assert page.count("scored apart</td>") == 1
    assert "<h3>Shortcuts</h3>" not in render(binary_content())


def test_a_page_of_too_few_patients_says_so() -> None:
    nothing = {name: [] for name in SHORTCUTS}
    assert "Too few patients to ask." in render(
        binary_content(metrics={**binary_content().metrics, "shortcuts": nothing})
    )
