"""What a text must say, as ``_text`` and ``_content`` ask: words, "phrases", begun* words, AND, OR, NOT and
brackets.

https://hl7.org/fhir/R4/search.html#content
"""

from __future__ import annotations

import re

from storage.search.query import Said

MOST = 64
"""So many words and signs may be asked for."""

_PARTS = re.compile(r'\s*("[^"]*"|[()]|[^\s()"]+)')


def said(text: str) -> Said:
    """Return what a text asks for; words that nothing joins must all be there.

    Raises ValueError where brackets or joining words stand alone, and for what is too long.
    """
    parts = _PARTS.findall(text)
    if not parts or len(parts) > MOST or text.count('"') % 2:
        raise ValueError(text)
    found = _any(parts)
    if parts:
        raise ValueError(text)
    return found


def _any(parts: list[str]) -> Said:
    found = [_all(parts)]
    while parts and parts[0].lower() == "or":
        parts.pop(0)
        found.append(_all(parts))
    return found[0] if len(found) == 1 else Said("any", parts=tuple(found))


def _all(parts: list[str]) -> Said:
    found = [_one(parts)]
    while parts and parts[0] != ")" and parts[0].lower() != "or":
        if parts[0].lower() == "and":
            parts.pop(0)
        found.append(_one(parts))
    return found[0] if len(found) == 1 else Said("all", parts=tuple(found))


def _one(parts: list[str]) -> Said:
    first = parts.pop(0) if parts else ")"
    if first == "(":
        found = _any(parts)
        if not parts or parts.pop(0) != ")":
            raise ValueError(first)
        return found
    if first == ")" or first.lower() in ("or", "and"):
        raise ValueError(first)
    if first.lower() == "not":
        return Said("none", parts=(_one(parts),))
    plain = first.strip('"')
    begun = plain.endswith("*") and plain == first and plain.strip("*")
    return Said("begins", plain.rstrip("*")) if begun else Said("phrase", plain)
