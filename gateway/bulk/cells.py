"""Cells of a sheet of patients: texts as ``spreadsheet`` guards them, with the spaces around them kept too.

Whoever fills a sheet leaves spaces around a value by mistake, so that an import takes them away. A text that
has spaces of its own is therefore written with one more apostrophe before it.
"""

from __future__ import annotations

from typing import Any

from gateway.native.spreadsheet import unguard
from mappings import flat
from storage.model.flat import BY_NAME


def _spaced(text: str) -> bool:
    core = text.lstrip("'")
    return core != core.strip()


def kept(value: Any) -> Any:
    """Return a value as ``spreadsheet.cell`` is to write it."""
    return f"'{value}" if isinstance(value, str) and _spaced(value) else value


def values(cells: dict[str, str], *, commas: bool = False) -> dict[str, Any]:
    """Return the values of a record whose cells are given by field; blank ones are left out.

    ``commas``: numbers may have a comma for a point, as where semicolons part the cells.
    """
    exact = {name: text[2:] for name, text in cells.items() if text.startswith("''") and _spaced(text)}
    plain = {name: unguard(text) for name, text in cells.items() if text and name not in exact}
    if commas:
        plain |= {name: _pointed(text) for name, text in plain.items() if BY_NAME[name].kind == "decimal"}
    return {**flat.typed(plain), **exact}


def _pointed(text: str) -> str:
    return text.replace(",", ".") if text.count(",") == 1 and "." not in text else text
