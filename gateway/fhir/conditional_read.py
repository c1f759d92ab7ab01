"""conditional read: nothing is sent again to who has it already.

https://hl7.org/fhir/R4/http.html#cread
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_TAG = re.compile(r'(?:W/)?"([^"]*)"|([^\s,"]+)')


def unchanged(headers: Mapping[str, str], tag: str, modified: datetime | None = None) -> bool:
    """Tell whether the caller has what would be answered, as its If-None-Match or If-Modified-Since say.

    ``tag`` is the ETag of the answer, compared weakly; ``modified`` its time, compared to the second. Where
    both headers are given the tag alone counts, and a date that cannot be read does not (RFC 9110, 13.1.3).
    """
    known = headers.get("if-none-match")
    if known is not None:
        return known.strip() == "*" or _core(tag) in {_core(found[0]) for found in _TAG.finditer(known)}
    since = _instant(headers.get("if-modified-since"))
    return since is not None and modified is not None and modified.replace(microsecond=0) <= since


def _core(tag: str) -> str:
    """Return what stands in a tag: a bare version is taken for its tag."""
    return tag.removeprefix("W/").strip('"')


def _instant(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        found = parsedate_to_datetime(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
