"""What no column carries, and how it comes back: the law that what is read equals what was written.

https://hl7.org/fhir/R4/json.html

A row's ``remainder`` is ``{"x": {pointer: value}, "lex": {pointer: [rendered, original]}, "order": {pointer:
[url]}}``: elements without a column; values that a column spells otherwise, put back only while the rendered
value is still the first of the pair; and the order of extensions. A pointer is the path within the row, its
steps parted by a space; ``extension:URL`` steps into the extension with that URL.
"""

from __future__ import annotations

from typing import Any

from mappings.element import Value
from storage.lexical import ENCODER
from storage.model.columns import Row

_encode = ENCODER.encode


def same(left: Value, right: Value) -> bool:
    """Tell whether two values have the same JSON text (``1.0`` is not ``1.00``, ``true`` not ``1``)."""
    if type(left) is str or type(right) is str:
        return left == right
    return left is right or _encode(left) == _encode(right)


def keep(row: Row, what: str, pointer: str, value: Value) -> None:
    """Put something into the remainder of a row; ``what`` is x, lex or order."""
    remainder: dict[str, Any] | None = row["remainder"]
    if remainder is None:
        remainder = row["remainder"] = {}
    remainder.setdefault(what, {})[pointer] = value


def keep_difference(row: Row, pointer: str, rendered: Value, original: Value) -> None:
    """Keep what of ``original`` is missing or spelt otherwise in ``rendered``."""
    if rendered is None:
        keep(row, "x", pointer, original)
    elif type(original) is dict and type(rendered) is dict:
        for key, value in original.items():  # pyright: ignore[reportUnknownVariableType]
            if not same(rendered.get(key), value):  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
                keep_difference(row, f"{pointer} {key}", rendered.get(key), value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]
    else:
        keep(row, "lex", pointer, [rendered, original])


def extension_of(row: Row, url: str) -> dict[str, Value] | None:
    """Return the object's own extension with a URL that no line claims; None where there is none."""
    return next((item for item in _unclaimed(row) if item.get("url") == url), None)


def _unclaimed(row: Row) -> list[dict[str, Value]]:
    kept: dict[str, dict[str, Any]] = row["remainder"] or {}
    return kept.get("x", {}).get("extension", [])


def put_extension(row: Row, item: dict[str, Value]) -> None:
    """Set an extension of the object itself that no line claims, in place of those with its URL."""
    present = _unclaimed(row)
    keep(row, "x", "extension", [*(other for other in present if other.get("url") != item["url"]), item])


def drop_extensions(row: Row, *urls: str) -> None:
    """Take away the object's own extensions with such URLs that no line claims."""
    present = _unclaimed(row)
    left = [item for item in present if item.get("url") not in urls]
    if left:
        keep(row, "x", "extension", left)
    elif present:
        forget(row, "extension")


def forget(row: Row, pointer: str) -> None:
    """Drop what the remainder holds at or below a pointer, and at its sibling ``_element``."""
    remainder = row["remainder"]
    if not remainder:
        return
    head, _, name = pointer.rpartition(" ")
    sibling = f"{head} _{name}" if head else f"_{name}"
    for what in list(remainder):
        kept = {
            key: value
            for key, value in remainder[what].items()
            if key not in (pointer, sibling) and not key.startswith(pointer + " ")
        }
        remainder[what] = kept
        if not kept:
            del remainder[what]
    row["remainder"] = remainder or None


def mentions(row: Row, pointer: str) -> bool:
    """Tell whether the remainder of a row holds anything below a pointer."""
    kept: dict[str, dict[str, Value]] = row["remainder"] or {}
    return any(key.startswith(pointer + " ") for entries in kept.values() for key in entries)


def restore(row: Row, target: dict[str, Any]) -> None:
    """Merge a row's remainder into the object that was rendered from its columns."""
    remainder = row["remainder"]
    for pointer, value in remainder.get("x", {}).items():
        *steps, name = pointer.split(" ")
        holder = _walk(target, steps, make=True)
        if name == "extension":
            holder.setdefault(name, []).extend(value)
        elif type(value) is list and type(holder.get(name)) is list:
            # Rows were added to an array that is kept whole here.
            holder[name] = [*value, *holder[name]]
        else:
            holder[name] = value
    for pointer, (rendered, original) in remainder.get("lex", {}).items():
        *steps, name = pointer.split(" ")
        holder = _walk(target, steps, make=False)
        if holder is not None and name in holder and same(holder[name], rendered):
            holder[name] = original
    for pointer, urls in remainder.get("order", {}).items():
        *steps, name = pointer.split(" ")
        holder = _walk(target, steps, make=False)
        if holder is not None and name in holder:
            holder[name] = _ordered(holder[name], urls)


def _walk(target: Any, steps: list[str], *, make: bool) -> Any:
    for step in steps:
        if step.startswith("extension:"):
            target = _extension(target, step[10:], make=make)
        elif step in target:
            target = target[step]
        else:
            target = target.setdefault(step, {}) if make else None
        if target is None:
            return None
    return target


def _extension(target: dict[str, Any], url: str, *, make: bool) -> Any:
    for found in target.get("extension", ()):
        if found["url"] == url:
            return found
    if not make:
        return None
    target.setdefault("extension", []).append({"url": url})
    return target["extension"][-1]


def _ordered(found: list[Any], urls: list[str]) -> list[Any]:
    left = list(found)
    ordered: list[Any] = []
    for url in urls:
        place = next((place for place, item in enumerate(left) if item.get("url") == url), None)
        if place is not None:
            ordered.append(left.pop(place))
    return ordered + left
