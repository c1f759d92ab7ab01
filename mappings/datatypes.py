"""The datatypes that hang on any resource: identifiers, names, addresses, codes, references, notes,
attachments.

https://hl7.org/fhir/R4/datatypes.html and https://hl7.org/fhir/R4/references.html
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING, Any

from mappings import v2types
from mappings.codecs import BOOL, CODE, DATETIME, INT, LIST, PERIOD, TEXT, Plain
from mappings.element import Joined, Mapping, Unclaimed, many, one, part, single
from storage.model import shared
from storage.model.shared import ContactPoint, PersonName, PostalAddress

if TYPE_CHECKING:
    from mappings.element import Value

_LOCAL = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(/_history/[A-Za-z0-9\-.]{1,64})?\Z")


class ReferenceCodec(Plain):
    """Reference.reference in ``target_type, target_fhir_id, literal``: ``Type/id`` in the first two, anything
    else as it was written in the third; one to a version of a resource here is in all three.
    """

    def to_row(self, value: Value) -> tuple[Any, ...]:
        if type(value) is not str:
            raise Unclaimed
        found = _LOCAL.match(value)
        return (found[1], found[2], value if found[3] else None) if found else (None, None, value)

    def to_fhir(self, columns: tuple[Any, ...]) -> Value:
        target_type, fhir_id, literal = columns
        return literal if literal is not None or fhir_id is None else f"{target_type}/{fhir_id}"


def local_target(literal: str, base: str) -> tuple[str, str] | None:
    """Return type and id of what an absolute reference names, where it begins with our own base URL."""
    found = _LOCAL.match(literal.removeprefix(f"{base}/")) if literal.startswith(f"{base}/") else None
    return (found[1], found[2]) if found else None


class Base64Codec(Plain):
    """base64Binary in a bytea column."""

    def to_row(self, value: Value) -> tuple[Any, ...]:
        try:
            return (base64.b64decode(value, validate=True),)
        except (binascii.Error, TypeError, ValueError):
            raise Unclaimed from None

    def to_fhir(self, columns: tuple[Any, ...]) -> Value:
        return None if columns[0] is None else base64.b64encode(columns[0]).decode()


CODING = Mapping(
    type="Coding",
    table=shared.Coding,
    lines=(
        one("system", shared.Coding.system, TEXT),
        one("version", shared.Coding.version, TEXT),
        one("code", shared.Coding.code, TEXT),
        one("display", shared.Coding.display, TEXT),
        one("userSelected", shared.Coding.user_selected, BOOL),
    ),
)
CODEABLE_CONCEPT = Mapping(
    type="CodeableConcept",
    table=shared.Concept,
    v2=v2types.cwe,
    lines=(
        many("coding", CODING, at=""),
        one("text", shared.Concept.text, TEXT),
    ),
)
CODED = Mapping(
    # An element whose type is Coding: a concept that holds just that coding.
    type="Coding",
    table=shared.Concept,
    v2=v2types.coding,
    whole=single("coding", CODING, at=""),
)
REFERENCE = Mapping(
    type="Reference",
    table=shared.Reference,
    lines=(
        one(
            "reference",
            Joined(shared.Reference.target_type, shared.Reference.target_fhir_id, shared.Reference.literal),
            ReferenceCodec(),
        ),
        part(
            "identifier",
            one("system", shared.Reference.ident_system, TEXT),
            one("value", shared.Reference.ident_value, TEXT),
        ),
        one("display", shared.Reference.display, TEXT),
    ),
)
IDENTIFIER = Mapping(
    type="Identifier",
    table=shared.Identifier,
    v2=v2types.cx,
    lines=(
        one("use", shared.Identifier.use, CODE),
        single("type", CODEABLE_CONCEPT),
        one("system", shared.Identifier.system, TEXT),
        one("value", shared.Identifier.value, TEXT),
        one("period", shared.Identifier.period, PERIOD),
        single("assigner", REFERENCE),
    ),
)
HUMAN_NAME = Mapping(
    type="HumanName",
    table=PersonName,
    v2=v2types.xpn,
    lines=(
        one("use", PersonName.use, CODE),
        one("text", PersonName.text, TEXT),
        one("family", PersonName.family, TEXT),
        one("given", PersonName.given, LIST),
        one("prefix", PersonName.prefix, LIST),
        one("suffix", PersonName.suffix, LIST),
        one("period", PersonName.period, PERIOD),
    ),
)
CONTACT_POINT = Mapping(
    type="ContactPoint",
    table=ContactPoint,
    v2=v2types.xtn,
    lines=(
        one("system", ContactPoint.system, CODE),
        one("value", ContactPoint.value, TEXT),
        one("use", ContactPoint.use, CODE),
        one("rank", ContactPoint.rank, INT),
        one("period", ContactPoint.period, PERIOD),
    ),
)
ADDRESS = Mapping(
    type="Address",
    table=PostalAddress,
    v2=v2types.xad,
    lines=(
        one("use", PostalAddress.use, CODE),
        one("type", PostalAddress.type, CODE),
        one("text", PostalAddress.text, TEXT),
        one("line", PostalAddress.lines, LIST),
        one("city", PostalAddress.city, TEXT),
        one("district", PostalAddress.district, TEXT),
        one("state", PostalAddress.state, TEXT),
        one("postalCode", PostalAddress.postal_code, TEXT),
        one("country", PostalAddress.country, TEXT),
        one("period", PostalAddress.period, PERIOD),
    ),
)
ANNOTATION = Mapping(
    type="Annotation",
    table=shared.Annotation,
    lines=(
        single("authorReference", REFERENCE),
        one("authorString", shared.Annotation.author_text, TEXT),
        one("time", shared.Annotation.authored, DATETIME),
        one("text", shared.Annotation.text, TEXT),
    ),
)
ATTACHMENT = Mapping(
    type="Attachment",
    table=shared.Attachment,
    lines=(
        one("contentType", shared.Attachment.content_type, TEXT),
        one("language", shared.Attachment.language, TEXT),
        one("data", shared.Attachment.data, Base64Codec()),
        one("url", shared.Attachment.url, TEXT),
        one("size", shared.Attachment.size, INT),
        one("hash", shared.Attachment.hash, TEXT),
        one("title", shared.Attachment.title, TEXT),
        one("creation", shared.Attachment.creation, DATETIME),
    ),
)
