"""Parameters as text: query strings and form bodies, values parted by commas and bars, escapes.

https://hl7.org/fhir/R4/search.html#escaping
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, quote

from gateway.errors import BadRequest

Pair = tuple[str, str]

MOST = 1000
"""So many parameters may stand in one search."""

_ESCAPED = re.compile(r"\\([\\,$|])")
_MARKS = re.compile(r"\\.|[,$|]", re.DOTALL)


def pairs(text: str) -> list[Pair]:
    """Return names and values of a query string or form body, in their order. Raises BadRequest."""
    try:
        found = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MOST)
    except UnicodeDecodeError:
        raise BadRequest("The parameters are not UTF-8.") from None
    except ValueError:
        raise BadRequest(f"A search may have {MOST} parameters.") from None
    if "\x00" in text or any("\x00" in name + value for name, value in found):
        raise BadRequest("The parameters hold the character U+0000.")
    return found


def query_string(listed: list[Pair]) -> str:
    """Return parameters as a query string; marks that FHIR uses in values stay as they are."""
    return "&".join(f"{quote(name, safe=':')}={quote(value, safe='/:,|$')}" for name, value in listed)


def split(text: str, mark: str) -> list[str]:
    """Return the parts of a value between marks (one of ``,$|``) that are not escaped; their escapes stay."""
    if "\\" not in text:
        return text.split(mark)
    parts, start = list[str](), 0
    for found in _MARKS.finditer(text):
        if found[0] == mark:
            parts.append(text[start : found.start()])
            start = found.end()
    return [*parts, text[start:]]


def unescape(text: str) -> str:
    r"""Return a part of a value without its escapes: ``\,`` ``\$`` ``\|`` ``\\``; any other backslash is
    itself.
    """
    return _ESCAPED.sub(r"\1", text) if "\\" in text else text
