"""Documents told from inside (JSON), as DocumentReferences: what there is and where, never the file itself.

https://hl7.org/fhir/R4/documentreference.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mappings.concepts import LOINC
from mappings.element import Refused
from mappings.inside import Object, coding, concept
from mappings.resources.document_projections import OF_LOINC, OWN
from storage.documents import CONFIDENTIALITY

LEVELS = {"N": "normal", "R": "restricted", "V": "very restricted"}
CLOSED = ("R", "V")
"""The levels of confidentiality that only some roles may read."""
_CODES = {kind: code for code, kind in OF_LOINC.items()}
_REFUSED = re.compile(r"\s|(javascript|vbscript|data):", re.IGNORECASE)


def reference(told: Mapping[str, Any], patient: str, encounter: str | None, at: str) -> Object:
    """Return the DocumentReference of what is told; ``author`` is a Reference, ``at`` the present instant.

    The date of the document is that of its file: it may be a partial one. Raises Refused.
    """
    kind = told["document_type"]
    standard = coding(LOINC, _CODES[kind]) if kind in _CODES else None
    made: Object = {
        "resourceType": "DocumentReference",
        "status": "current",
        "type": concept(coding(OWN, kind), standard),
        "subject": {"reference": patient},
        "date": at,
        "content": [{"attachment": _attachment(told)}],
    }
    if told.get("author"):
        made["author"] = [told["author"]]
    if told.get("confidentiality"):
        level = told["confidentiality"]
        made["securityLabel"] = [concept(coding(CONFIDENTIALITY, level, LEVELS[level]))]
    if encounter:
        made["context"] = {"encounter": [{"reference": encounter}]}
    return made


def is_place(url: str) -> bool:
    """Tell whether a URL says where a file is, and does nothing else."""
    return not _REFUSED.search(url)


def _attachment(told: Mapping[str, Any]) -> Object:
    url = told.get("url")
    if url is not None and not is_place(url):
        raise Refused("value", "url", url, message="url must say where the file is; no file content is taken")
    parts = {
        "contentType": told.get("content_type"),
        "url": url,
        "size": told.get("size"),
        "title": told.get("title"),
        "creation": told.get("document_date"),
    }
    return {name: value for name, value in parts.items() if value is not None}
