"""Links of a resource in a transaction, changed to where what they name will be.

https://hl7.org/fhir/R4/http.html#trules: references, the types uri, url, oid and uuid, and the addresses in
links and images of the narrative are replaced where they name an entry; canonicals never are.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any, cast

from gateway.fhir.shapes import Field, Kind, Shape, shape_of
from mappings import definitions

Object = dict[str, Any]
Link = Callable[[str, "Field | None", Any], str]
"""Gives what to write in place of a link: of a Reference (whose field and value come with it), or of a URI
(neither does). What is no link of the transaction is given back as it is.
"""

_URIS = frozenset({"uri", "url", "oid", "uuid"})
_TAG = re.compile(r"<(?:a|img)\b[^>]*>", re.IGNORECASE)
_ADDRESS = re.compile(r"""(\b(?:href|src)\s*=\s*)("([^"]*)"|'([^']*)')""", re.IGNORECASE)


def rewritten(resource: Object, link: Link) -> Object:
    """Return a resource with its links changed; whatever has none is the same object as before."""
    type_name = resource.get("resourceType")
    if not isinstance(type_name, str) or not definitions.is_resource_type(type_name):
        return resource
    return _object(resource, shape_of(type_name), link)


def _object(value: Object, shape: Shape, link: Link) -> Object:
    changed: Object = {}
    for key, item in value.items():
        field = shape.fields.get(key)
        if field is None or (field.kind is Kind.PRIMITIVE and field.type_name not in _LINKING):
            continue
        if type(item) is list:
            made: Any = _array(cast("list[Any]", item), field, link)
        else:
            made = _one(item, field, link)
        if made is not item:
            changed[key] = made
    return value | changed if changed else value


def _array(items: list[Any], field: Field, link: Link) -> list[Any]:
    made = [_one(item, field, link) for item in items]
    return made if any(new is not old for new, old in zip(made, items, strict=True)) else items


def _one(item: Any, field: Field, link: Link) -> Any:
    if type(item) is str:
        if field.type_name == "xhtml":
            return narrative(item, link)
        return link(item, None, None) if field.type_name in _URIS else item
    if type(item) is not dict:
        return item
    value = cast("Object", item)
    if field.kind is Kind.RESOURCE:
        return rewritten(value, link)
    if field.kind is Kind.PRIMITIVE:
        return value
    made = _object(value, field.shape, link)
    literal = value.get("reference")
    if field.kind is Kind.REFERENCE and isinstance(literal, str):
        new = link(literal, field, value)
        made = made | {"reference": new} if new != literal else made
    return made


_LINKING = _URIS | {"xhtml"}


def narrative(div: str, link: Link) -> str:
    """Return a narrative with the addresses of its links and images changed."""
    if "href" not in div and "src" not in div:
        return div

    def address(found: re.Match[str]) -> str:
        text = html.unescape(found[3] if found[3] is not None else found[4])
        made = link(text, None, None)
        return found[0] if made == text else f'{found[1]}"{html.escape(made)}"'

    return _TAG.sub(lambda tag: _ADDRESS.sub(address, tag[0]), div)
