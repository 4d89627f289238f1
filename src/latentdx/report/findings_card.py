"""What the card of several findings a scan says of each of them."""

from __future__ import annotations

from latentdx.report.card import field_of, interval, number, table_of
from latentdx.report.findings_content import FindingsContent


def findings_section(content: FindingsContent) -> str:
    """Each finding by itself; the evaluation before it has their means."""
    metrics = content.metrics
    rows = [
        (
            name,
            number(field_of(metrics, "findings", name, "prevalence", "value")),
            number(field_of(metrics, "findings", name, "auroc", "value")),
            interval(field_of(metrics, "findings", name, "auroc")),
            number(content.thresholds.get(name)),
        )
        for name in content.classes
    ]
    table = table_of(("finding", "prevalence", "AUROC", "95 % interval", "threshold"), rows)
    return f"## Findings\n\nThe numbers above are means over the findings; of each:\n\n{table}"
