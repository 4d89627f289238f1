"""What a card says of shortcuts."""

from __future__ import annotations

from typing import Any

from latentdx.report.card import field_of, interval, markdown, number, table_of

_MEASURES = {"auroc": "AUROC", "r2": "R2"}


def shortcut_section(metrics: Any) -> str:
    """What tells the label by itself, what features tell, and which groups are scored apart.

    Of the first and the last only what was surer than chance; ``""`` where nothing was asked.
    """
    told = field_of(metrics, "shortcuts")
    if not told:
        return ""
    asked = [*told["metadata"], *told["pixels"]]
    flagged = [each for each in asked if each["flagged"]]
    apart = [each for each in told["score_at_equal_label"] if each["flagged"]]
    sentence = (
        f"{len(flagged)} of {len(asked)} columns and parts of the picture tell the label by "
        f"themselves, {len(apart)} of {len(told['score_at_equal_label'])} columns have groups that "
        "are scored apart at equal label."
    )
    rows = [
        *((each["name"], "label", *_numbers(each["auroc"], "AUROC")) for each in flagged),
        *(
            ("features", each["name"], *_numbers(each["told"], _MEASURES[each["measure"]]))
            for each in told["embedding"]
        ),
        *(
            (f"score, {each['column']}", each["value"], *_numbers(each["auroc"], "AUROC"))
            for each in apart
        ),
    ]
    table = table_of(("by", "is told", "measure", "value", "95 % interval"), rows) if rows else ""
    return f"## Shortcuts\n\n{markdown(sentence)}\n\n{table}".strip()


def _numbers(estimate: Any, measure: str) -> tuple[str, str, str]:
    return measure, number(field_of(estimate, "value")), interval(estimate)
