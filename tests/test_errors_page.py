"""docs/errors.md explains each code that the package raises, and no other."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROW = re.compile(r"\| `([EN]_[A-Z0-9_]+)` \| \S.* \| \S.* \|")


def codes_in(source: str) -> set[str]:
    """The string constants that are a code and nothing else: no docstring, no identifier."""
    constants = (
        node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)
    )
    texts = (value for value in constants if isinstance(value, str))
    return {text for text in texts if re.fullmatch(r"[EN]_[A-Z0-9_]+", text)}


def raised() -> set[str]:
    files = (ROOT / "src" / "latentdx").rglob("*.py")
    return {code for path in files for code in codes_in(path.read_text(encoding="utf-8"))}


def explained() -> list[str]:
    lines = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| `")]
    matches = [ROW.fullmatch(row) for row in rows]
    assert all(matches), [row for row, match in zip(rows, matches, strict=True) if not match]
    return [match[1] for match in matches if match]


def test_what_counts_as_a_code() -> None:
    source = 'N_ROWS = 3\nraise InputError("E_A", "found E_B")\ndef f():\n    """``E_C``"""\n'
    assert codes_in(source) == {"E_A"}


def test_each_code_raised_is_explained() -> None:
    assert raised() - set(explained()) == set(), "add them to docs/errors.md"


def test_each_code_explained_is_raised() -> None:
    assert set(explained()) - raised() == set(), "nothing raises them: take them out"


def test_the_table_is_sorted_and_has_each_code_once() -> None:
    codes = explained()
    assert codes == sorted(set(codes))
