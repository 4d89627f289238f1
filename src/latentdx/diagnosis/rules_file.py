"""Rules as people write them: a TOML with one ``[[rule]]`` each."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from latentdx.core.errors import StopError
from latentdx.core.remedies import REMEDIES
from latentdx.diagnosis.rules import Rule

_FIX = "write [[rule]] with text = '...' and when = { age = '< 1' }; see docs/knowledge.md"


def read_rules(path: Path) -> list[dict[str, Any]]:
    """The rules of a file, as plain values. Raises `StopError` ``E_RULES``.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "rules.toml"
    ...     text = '[[rule]]\\ntext = "never seen"\\nwhen = { Age = "< 1" }\\n'
    ...     _ = path.write_text(text)
    ...     read_rules(path)
    [{'text': 'never seen', 'when': {'age': '< 1'}, 'if_unknown': 'answer'}]
    """
    try:
        told = tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        found = f"cannot be read: {error.strerror}"
        raise StopError("E_RULES", found, fix=REMEDIES["E_IO"], path=path) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise StopError("E_RULES", f"not TOML: {error}", fix=_FIX, path=path) from None
    if strange := sorted(told.keys() - {"rule"}):
        raise StopError("E_RULES", f"{strange[0]!r} is no rule", fix=_FIX, path=path)
    rules = told.get("rule")
    if not isinstance(rules, list) or not rules:
        raise StopError("E_RULES", "there is no [[rule]]", fix=_FIX, path=path)
    return [_checked(rule, number, path) for number, rule in enumerate(rules, 1)]


def _checked(rule: Any, number: int, path: Path) -> dict[str, Any]:
    try:
        return Rule.model_validate(rule).model_dump()
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][:2]) or "it"
        words = first["msg"].removeprefix("Value error, ")
        text = f"rule {number}, {where}: {words[:1].lower()}{words[1:]}"
        raise StopError("E_RULES", text, fix=_FIX, path=path) from None


def require_known(rules: Sequence[Rule], known: Sequence[str]) -> None:
    """Raise `StopError` ``E_RULES`` for a column that no scan has: such a rule says nothing."""
    for name in dict.fromkeys(name for rule in rules for name in rule.names):
        if name not in known:
            fix = f"the collection has {', '.join(known) or 'none'}"
            raise StopError("E_RULES", f"a rule asks for a column {name!r}", fix=fix)
