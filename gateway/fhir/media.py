"""Media types: which format a body is in, which format a caller wants its answer in.

https://hl7.org/fhir/R4/http.html#mime-type
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from gateway.errors import NotAcceptable, UnsupportedMediaType

Format = Literal["json", "xml"]

FHIR_JSON = "application/fhir+json"
FHIR_XML = "application/fhir+xml"
FULL = {"json": f"{FHIR_JSON}; charset=utf-8", "xml": f"{FHIR_XML}; charset=utf-8"}
"""Format -> the Content-Type of answers."""

FORMATS: dict[str, Format] = {
    FHIR_JSON: "json",
    "application/json": "json",
    "text/json": "json",
    FHIR_XML: "xml",
    "application/xml": "xml",
    "text/xml": "xml",
}
"""Media type -> the format that it is, the formal types of FHIR and the generic ones."""

_SHORT: dict[str, Format] = {"json": "json", "xml": "xml"}
_RANGES: dict[str, tuple[Format, ...]] = {
    "*/*": ("json", "xml"),
    # As some clients spell it.
    "*": ("json", "xml"),
    "application/*": ("json", "xml"),
    "text/*": ("json", "xml"),
}
_CHARSETS = frozenset({"utf-8", "utf8", "us-ascii"})


def split(header: str) -> tuple[str, dict[str, str]]:
    """Return a media type in lower case and its parameters by name."""
    media_type, *rest = header.split(";")
    pairs = (part.partition("=") for part in rest)
    return media_type.strip().lower(), {n.strip().lower(): v.strip().strip('"') for n, _, v in pairs}


def version_fits(parameters: dict[str, str]) -> bool:
    """Tell whether a media type is of R4, `4.0`: https://hl7.org/fhir/R4/http.html#version-parameter."""
    return parameters.get("fhirversion", "4.0").removesuffix(".1") == "4.0"


def body_format(content_type: str) -> Format:
    """Return the format that a Content-Type tells: FHIR of R4, in UTF-8. Raises UnsupportedMediaType."""
    media_type, parameters = split(content_type)
    found = FORMATS.get(media_type)
    charset = parameters.get("charset", "utf-8").lower()
    if found is None or charset not in _CHARSETS or not version_fits(parameters):
        told = f"The body must be {FHIR_JSON} or {FHIR_XML}, R4, in UTF-8, not {content_type[:100]}."
        raise UnsupportedMediaType(told, expression="http.Content-Type")
    return found


@lru_cache(maxsize=256)
def answer_format(accept: str | None, format_parameter: str | None = None) -> Format:
    """Return the format of an answer, from the Accept header, or from `_format`, which goes before it.

    No header, or an empty one, accepts anything (RFC 9110 section 12.5.1), and then it is JSON. Of types
    accepted with equal weight one that is named goes before a range, and else what is named first. A `+` in
    `_format` may come as a space. Raises NotAcceptable.
    """
    if format_parameter and format_parameter.strip():
        return _named(format_parameter.strip())
    if accept is None or not accept.strip(" ,"):
        return "json"
    offers: dict[Format, tuple[float, bool, int]] = {}
    for place, part in enumerate(accept.split(",")):
        _offer(offers, *split(part), place)
    wanted = max(offers, key=lambda offer: offers[offer], default=None)
    if wanted is None or offers[wanted][0] <= 0:
        told = f"Only {FHIR_JSON} and {FHIR_XML} can be given, not {accept[:100]}."
        raise NotAcceptable(told, expression="http.Accept")
    return wanted


def _offer(
    offers: dict[Format, tuple[float, bool, int]], media_type: str, parameters: dict[str, str], place: int
) -> None:
    """Note how much one part of an Accept header wants each format; a name says more than a range."""
    if not version_fits(parameters):
        return
    named = FORMATS.get(media_type)
    for offered in (named,) if named else _RANGES.get(media_type, ()):
        rank = (weight(parameters), named is not None, -place)
        known = offers.get(offered)
        if known is None or (rank[1], rank[0]) > (known[1], known[0]):
            offers[offered] = rank


def weight(parameters: dict[str, str]) -> float:
    """Return the weight of a part of an Accept header: 1 where none can be read."""
    try:
        return float(parameters.get("q", "1"))
    except ValueError:
        return 1.0


def _named(text: str) -> Format:
    media_type, parameters = split(text.replace("fhir json", "fhir+json").replace("fhir xml", "fhir+xml"))
    found = _SHORT.get(media_type) or FORMATS.get(media_type)
    if found is None or not version_fits(parameters):
        told = f"_format is json, xml, {FHIR_JSON} or {FHIR_XML}, not {text[:100]}."
        raise NotAcceptable(told, expression="http._format")
    return found
