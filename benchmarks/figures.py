"""``python -m benchmarks.figures``: the tables of the READMEs, made from benchmarks/results."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.machine import RESULTS, ROOT

READMES = {"en": ROOT / "README.md", "zh": ROOT / "README.zh-CN.md"}

_BLOCK = re.compile(r"(<!-- figures -->\n).*?(<!-- /figures -->)", re.DOTALL)
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
_EMPTY = {
    "en": "No figures yet: `python -m benchmarks.headline` makes them.",
    "zh": "暂无数字：由 `python -m benchmarks.headline` 生成。",
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


def expected_block(language: str) -> str:
    """What lies between the marks of a README: the table, or words where there are no results."""
    results = RESULTS / "headline.json"
    if not results.exists():
        return _EMPTY[language]
    return headline_table(json.loads(results.read_text(encoding="utf-8")), language)


def with_block(text: str, block: str) -> str:
    """The text of a README with this between its marks."""
    found = _BLOCK.search(text)
    assert found, "there are no marks <!-- figures --> and <!-- /figures -->"
    return f"{text[: found.start()]}{found[1]}{block}\n{found[2]}{text[found.end() :]}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the tables into both READMEs, or with --check tell whether they are up to date."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.figures", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; 1 where they differ")
    asked, n_old = parser.parse_args(arguments), 0
    for language, readme in READMES.items():
        text = readme.read_text(encoding="utf-8")
        fresh = with_block(text, expected_block(language))
        n_old += fresh != text
        if not asked.check:
            readme.write_text(fresh, encoding="utf-8")
        state = "as it was" if fresh == text else "out of date" if asked.check else "written"
        print(f"{readme.name}: {state}")
    return 1 if asked.check and n_old else 0


def _row(run: Mapping[str, Any]) -> tuple[str, ...]:
    auroc, baselines = run["test"]["auroc"], run["baselines"]
    known = {
        name: found["value"] for name, found in baselines.items() if found["value"] is not None
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
