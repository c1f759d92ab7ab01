"""The patch of a Bundle's entry: https://hl7.org/fhir/R4/http.html#patch.

FHIRPath Patch comes as Parameters; JSON Patch and JSON Merge Patch in a Binary that tells its media type.
"""

from __future__ import annotations

import base64
import binascii

from gateway.conditional import Change
from gateway.errors import UnsupportedMediaType, ValueInvalid
from gateway.fhir import wire
from gateway.fhir.entries import Entry
from gateway.fhir.patch import FHIRPATH_PATCH, KINDS, PLAIN_JSON, change_of, language_of


def patch_in(entry: Entry) -> Change:
    """Return the change that an entry asks for. Raises Problem."""
    resource = entry.resource or {}
    kind, body = FHIRPATH_PATCH, wire.encode(resource)
    if resource.get("resourceType") == "Binary":
        kind = str(resource.get("contentType", "")).partition(";")[0].strip()
        body = _data(resource.get("data"))
    elif resource.get("resourceType") != "Parameters":
        raise ValueInvalid("A patch is a Binary or Parameters.", expression="resource.resourceType")
    if kind not in (*KINDS, *PLAIN_JSON):
        allowed = ", ".join(KINDS)
        raise UnsupportedMediaType(f"A patch is of the type {allowed}.", expression="resource.contentType")
    return change_of(language_of(kind, body), body, entry.resource_type)


def _data(data: object) -> bytes:
    try:
        return base64.b64decode(data if isinstance(data, str) else "", validate=True)
    except binascii.Error:
        raise ValueInvalid("data is not base64", expression="resource.data") from None
