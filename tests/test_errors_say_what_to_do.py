"""No error leaves its reader without a way out."""

from __future__ import annotations

import ast
from pathlib import Path

from latentdx.core.errors import InputError
from latentdx.core.remedies import REMEDIES

ROOT = Path(__file__).resolve().parents[1]
ERRORS = ("InputError", "StopError", "LeakageError", "IntegrityError")
UNSAID = ("study/examine.py",)
"""Nothing usable in `doctor`: each file's own way out stands in its message."""


def without_a_fix(source: str) -> list[str]:
    """The errors made without `fix=`, of a code that has no remedy of its own."""
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    made = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id in ERRORS]
    bare = [call for call in made if not {"fix", None} & {word.arg for word in call.keywords}]
    return [ast.unparse(call) for call in bare if not has_remedy(call)]


def has_remedy(call: ast.Call) -> bool:
    code = call.args[0]
    return isinstance(code, ast.Constant) and code.value in REMEDIES


def test_what_counts_as_none() -> None:
    known, told, bare = 'InputError("E_EMPTY", "x")', 'F("E_NEW", "x", fix="y")', 'F("E_NEW", "x")'
    source = "\n".join((known, told, bare)).replace("F(", "StopError(")
    assert without_a_fix(source) == ["StopError('E_NEW', 'x')"]


def test_every_error_says_what_to_do() -> None:
    folder = ROOT / "src" / "latentdx"
    files = sorted(folder.rglob("*.py"))
    found = {str(path.relative_to(folder)): without_a_fix(path.read_text()) for path in files}
    assert {name: calls for name, calls in found.items() if calls and name not in UNSAID} == {}


def test_a_remedy_stands_in_where_nothing_better_is_said() -> None:
    assert str(InputError("E_EMPTY", "no bytes")) == "E_EMPTY: no bytes; copy it again"
    assert str(InputError("E_EMPTY", "no bytes", fix="ask")) == "E_EMPTY: no bytes; ask"
