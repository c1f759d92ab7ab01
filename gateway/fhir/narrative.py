"""Narrative.div is XHTML, formatting only, without active content.

https://hl7.org/fhir/R4/narrative.html#xhtml.
Invariants txt-1 (which elements and attributes) and txt-2 (there is something to read).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, cast

import lxml.etree

# lxml has no type information.
_etree = cast("Any", lxml.etree)  # pyright: ignore[reportUnknownMemberType]

_XHTML = "{http://www.w3.org/1999/xhtml}"
_ELEMENTS = frozenset(
    """
    a abbr acronym address area b bdo big blockquote br caption center cite code col colgroup dd del
    dfn div dl dt em h1 h2 h3 h4 h5 h6 hr i img ins kbd li map ol p pre q s samp small span strike
    strong sub sup table tbody td tfoot th thead tr tt u ul var
    """.split()  # noqa: SIM905  a column of a hundred strings reads worse
)
_PLAIN = frozenset(_XHTML + tag for tag in _ELEMENTS)
_ATTRIBUTES = frozenset(
    """
    abbr accesskey align alt axis bgcolor border cellhalign cellpadding cellspacing cellvalign char
    charoff charset cite class clear colspan color compact coords datetime dir frame headers height
    href hreflang hspace id ismap lang longdesc name noshade nowrap rel rev rowspan rules scope
    shape span src start style summary tabindex title type usemap valign value vspace width
    {http://www.w3.org/XML/1998/namespace}lang {http://www.w3.org/XML/1998/namespace}space
    """.split()  # noqa: SIM905  a column of a hundred strings reads worse
)
_LINKS = frozenset({"href", "src", "cite", "longdesc", "usemap"})
_ACTIVE_STYLE = re.compile(
    r"expression\s*\(|javascript:|@import|behaviou?r\s*:|-moz-binding|url\s*\(|\\", re.IGNORECASE
)
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
_SCHEMES = frozenset({"http", "https", "mailto", "tel", "ftp", "urn", "cid"})
_IMAGE = re.compile(r"data:image/(?:png|gif|jpeg|jpg|webp|bmp)[;,]", re.IGNORECASE)

# No entity is expanded and nothing is fetched; a div has no document type anyway.
_PARSER = _etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)


def _parse(div: str) -> Any:
    """The root element, or a text that says why there is none."""
    try:
        root = _etree.fromstring(div.encode(errors="replace"), _PARSER)
    except _etree.XMLSyntaxError as error:
        line, column = error.position
        return (
            f"not well-formed XML at line {line}, column {column} (named entities such as &nbsp; are not XML)"
        )
    if root.getroottree().docinfo.doctype:
        return "a document type is not allowed"
    return root


_ASSIGNED = re.compile(rb"=\s*[\"']")
_CROWDED = 1000
"""So many attributes a tag may seem to have: the parser's time grows with the square of their number."""


def crowded(text: bytes) -> bool:
    """Whether a tag of an XML text has more attributes than anybody needs."""
    parts = (part for part in text.split(b"<") if part.count(b"=") > _CROWDED)
    return any(len(_ASSIGNED.findall(part)) > _CROWDED for part in parts)


def _hidden(div: str) -> str | None:
    """Why a div is refused unread: parts that a parser of HTML, which browsers have, ends sooner than one of
    XML, so that what stands in them would come to life.
    """
    if crowded(div.encode(errors="replace")):
        return "a tag has too many attributes"
    if "<![CDATA[" in div:
        return "a CDATA section is not allowed"
    return "such a comment is not allowed" if "<!-->" in div or "<!--->" in div else None


def _safe_link(value: str) -> bool:
    plain = re.sub(r"[\s\x00-\x1f]", "", value)
    scheme = _SCHEME.match(plain)
    return scheme is None or scheme[1].lower() in _SCHEMES or _IMAGE.match(plain) is not None


def _attribute_faults(tag: str, name: str, value: str) -> Iterator[str]:
    if name not in _ATTRIBUTES:
        yield f"attribute {name} is not allowed on {tag}"
    elif name in _LINKS and not _safe_link(value):
        yield f"the address in {name} of {tag} is not of a harmless scheme"
    elif name == "style" and _ACTIVE_STYLE.search(value):
        yield f"the style of {tag} refers to something outside"


def _element_faults(node: Any) -> Iterator[str]:
    if not isinstance(node.tag, str):
        if node.tag is not _etree.Comment:
            yield "processing instructions and entity references are not allowed"
        return
    tag = node.tag.removeprefix(_XHTML)
    if tag == node.tag or tag not in _ELEMENTS:
        yield f"element {tag} is not allowed"
    for name, value in node.items():
        yield from _attribute_faults(tag, str(name), str(value))


def _is_readable(root: Any) -> bool:
    texts = root.itertext(f"{_XHTML}*")  # not those of comments
    return any(not text.isspace() for text in texts) or root.find(f".//{_XHTML}img") is not None


def faults(div: str) -> list[str]:
    """What is wrong with a narrative's div, one sentence part each; empty if nothing is."""
    root = _hidden(div) or _parse(div)
    if isinstance(root, str):
        return [root]
    if root.tag != f"{_XHTML}div":
        return ['the root must be <div xmlns="http://www.w3.org/1999/xhtml">']
    odd = [node for node in root.iter() if node.tag not in _PLAIN or node.attrib]
    found = [fault for node in odd for fault in _element_faults(node)]
    if not found and not _is_readable(root):
        found.append("there is nothing to read in it")
    return found


def is_narrative(value: object) -> bool:
    """Whether a JSON value is an acceptable Narrative.div."""
    return type(value) is str and not faults(value)
