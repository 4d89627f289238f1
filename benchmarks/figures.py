"""``python -m benchmarks.figures``: tables of the READMEs and pages, from benchmarks/results."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from benchmarks.curve_figures import draw_curves, long_table, needed_table, short_table
from benchmarks.machine import RESULTS, ROOT
from benchmarks.transfer_table import gains_table, scores_table

CURVES = ROOT / "docs" / "images" / "label-curves.svg"

_HEADS = {
    "en": (
        "data, seed", "test scans (patients)", "AUROC (95 % interval)", "balanced accuracy",
        "strongest baseline", "untrained encoder", "shuffled labels", "seconds",
    ),
    "zh": (
        "数据，种子", "测试影像数（患者数）", "AUROC（95 % 区间）", "平衡准确率",
        "最强基线", "未训练的编码器", "打乱标签", "秒",
    ),
}  # fmt: skip
_NOTES = {
    "en": "From `benchmarks/results/headline.json`: {processor}, {cores} cores, torch {torch}, "
    "commit {commits}.",
    "zh": "数据来自 `benchmarks/results/headline.json`：{processor}，{cores} 核，torch {torch}，"
    "提交 {commits}。",
}


def headline_table(results: Mapping[str, Any], language: str = "en") -> str:
    """A Markdown table with a row a run, and where the numbers were made."""
    head = _HEADS[language]
    rows = [head, ("---",) * len(head), *map(_row, results["runs"])]
    commits = sorted({run["commit"] for run in results["runs"]})
    note = _NOTES[language].format(
        **results["machine"], torch=results["versions"]["torch"], commits=", ".join(commits)
    )
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + f"\n\n{note}"


Table = Callable[[Mapping[str, Any]], str]
_HEADLINE, _LABELS, _TRANSFER = "headline.json", "label-curves.json", "transfer.json"
PAGES: dict[str, dict[str, tuple[str, Table]]] = {
    "README.md": {
        "figures": (_HEADLINE, headline_table),
        "label curves": (_LABELS, short_table),
    },
    "README.zh-CN.md": {
        "figures": (_HEADLINE, partial(headline_table, language="zh")),
        "label curves": (_LABELS, partial(short_table, language="zh")),
    },
    "docs/few-labels.md": {
        "label curves": (_LABELS, long_table),
        "labels needed": (_LABELS, needed_table),
    },
    "docs/transfer.md": {
        "transfer": (_TRANSFER, scores_table),
        "gains": (_TRANSFER, gains_table),
    },
}
"""By page and mark: the results and what is made of them."""


def with_block(text: str, mark: str, block: str) -> str:
    """The text of a page with this between `mark` and its end."""
    place = re.compile(rf"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)", re.DOTALL)
    found = place.search(text)
    assert found, f"there are no marks <!-- {mark} --> and <!-- /{mark} -->"
    return f"{text[: found.start()]}{found[1]}{block}\n{found[2]}{text[found.end() :]}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write tables and figure, or with --check tell whether the tables are up to date."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.figures", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; 1 where they differ")
    asked, n_old = parser.parse_args(arguments), 0
    for name, blocks in PAGES.items():
        page = ROOT / name
        text = fresh = page.read_text(encoding="utf-8")
        for mark, (results, table) in blocks.items():
            fresh = with_block(fresh, mark, table(_read(results)))
        n_old += fresh != text
        if not asked.check:
            page.write_text(fresh, encoding="utf-8")
        state = "as it was" if fresh == text else "out of date" if asked.check else "written"
        print(f"{page.name}: {state}")
    if not asked.check:
        draw_curves(_read(_LABELS), CURVES)
    return 1 if asked.check and n_old else 0


def _read(results: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / results).read_text(encoding="utf-8"))
    return found


def _row(run: Mapping[str, Any]) -> tuple[str, ...]:
    auroc, baselines = run["test"]["auroc"], run["baselines"]
    known = {
        name: found["value"]
        for name, found in baselines.items()
        # the model itself, without something, is no baseline
        if found["value"] is not None and not name.startswith("without-")
    }
    best = max(known, key=lambda name: known[name], default=None)
    return (
        f"{run['name']}, {run['seed']}",
        f"{auroc['n_scans']} ({auroc['n_patients']})",
        _with_interval(auroc),
        _with_interval(run["test"]["balanced_accuracy"]),
        "–" if best is None else f"{best} {_with_interval(baselines[best])}",
        _with_interval(baselines.get("untrained-encoder")),
        _with_interval(run["controls"].get("shuffled-labels")),
        f"{run['seconds']:.0f}",
    )


def _with_interval(found: Mapping[str, Any] | None) -> str:
    if found is None or found["value"] is None:
        return "–"
    if found["low"] is None:
        return f"{found['value']:.3f}"
    return f"{found['value']:.3f} ({found['low']:.3f}–{found['high']:.3f})"


if __name__ == "__main__":
    sys.exit(main())
