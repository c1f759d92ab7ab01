"""ED and RP, data within a message or pointed at, as Attachment.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-datatype-ed-to-attachment.html
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

from mappings.v2types import compact

if TYPE_CHECKING:
    from mappings.element import Value
    from mappings.er7 import Repetition

MEDIA = {
    "AP": "application",
    "APPLICATION": "application",
    "AU": "audio",
    "AUDIO": "audio",
    "FT": "text",
    "IM": "image",
    "IMAGE": "image",
    "TEXT": "text",
    "TX": "text",
    "VIDEO": "video",
}
"""Table 0191, type of referenced data, and the MIME types that senders write there."""
SUBTYPES = {
    "PDF": "application/pdf",
    "DICOM": "application/dicom",
    "RTF": "application/rtf",
    "XML": "application/xml",
    "OCTET-STREAM": "application/octet-stream",
    "POSTSCRIPT": "application/postscript",
    "HTML": "text/html",
    "HTM": "text/html",
    "PLAIN": "text/plain",
    "TEXT": "text/plain",
    "TXT": "text/plain",
    "SGML": "text/sgml",
    "X-HL7-CDA-LEVEL-ONE": "text/x-hl7-text+xml",
    "GIF": "image/gif",
    "JPEG": "image/jpeg",
    "JPG": "image/jpeg",
    "PNG": "image/png",
    "TIFF": "image/tiff",
    "TIF": "image/tiff",
    "BASIC": "audio/basic",
    "MPEG": "video/mpeg",
}
"""Table 0291, subtype of referenced data -> MIME type, by its usual one."""
UNTOLD = "application/octet-stream"
"""What data is of whose type nothing is told: FHIR asks for one beside data."""


def encapsulated(repetition: Repetition) -> Value:
    """ED (2.A.24) -> Attachment: type, subtype, encoding (A, Hex, Base64), data; None where there is no data.

    Raises ValueError where the data is not of its encoding.
    """
    data = repetition.component(5, 0)
    if not data.strip():
        return None
    content = decode(data, repetition.component(4).strip().upper())
    return compact(
        contentType=content_type(repetition.component(2), repetition.component(3)) or UNTOLD,
        data=base64.b64encode(content).decode(),
    )


def decode(data: str, encoding: str) -> bytes:
    """Return the bytes of data in an encoding of table 0299; raises ValueError where it is not of it."""
    try:
        if encoding == "BASE64":
            return base64.b64decode("".join(data.split()), validate=True)
        if encoding == "HEX":
            return bytes.fromhex(data)
    except (ValueError, binascii.Error):
        raise ValueError("data that is not of its encoding") from None
    return data.encode()


def pointer(repetition: Repetition) -> Value:
    """RP (2.A.65) -> Attachment: pointer, application, type, subtype; None where there is no pointer.

    Raises ValueError where the pointer is no URL.
    """
    # An ampersand that was not escaped looks as if it parted the pointer into sub-components.
    url = repetition.component(1, 0).strip()
    if any(character.isspace() for character in url):
        raise ValueError("a pointer that is no URL")
    kind = content_type(repetition.component(3), repetition.component(4))
    return compact(contentType=kind, url=url) if url else None


def content_type(media: str, subtype: str) -> str | None:
    """Return the MIME type of a type and a subtype of tables 0191 and 0291, None where they tell none."""
    media, subtype = media.strip(), subtype.strip()
    family = MEDIA.get(media.upper())
    if "/" in subtype or "/" in media:
        return (subtype if "/" in subtype else media).lower()
    known = SUBTYPES.get(subtype.upper()) or SUBTYPES.get(media.upper())
    if known and (family is None or known.startswith(family) or not subtype):
        return known
    if family and subtype:
        return f"{family}/{subtype.lower()}"
    return known or ("text/plain" if family == "text" else None)
