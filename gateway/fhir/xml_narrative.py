"""Narrative between JSON, where it is text, and XML, where it is part of the document.

https://hl7.org/fhir/R4/narrative.html. Its letters are kept: quotes, entities and white space of tags come
back as they were written.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any, cast
from xml.parsers import expat
from xml.sax.saxutils import escape

import lxml.etree

# lxml has no type information.
_etree = cast("Any", lxml.etree)  # pyright: ignore[reportUnknownMemberType]

XHTML = "http://www.w3.org/1999/xhtml"
DIV = f"{{{XHTML}}}div"
_PARSER = _etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)


def embedded(div: str) -> str:
    """Return a div of JSON as it stands in an XML document.

    One that is stored was found good. Should one not be, its letters are shown as text.
    """
    root = _root(div)
    if root is None:
        return f'<div xmlns="{XHTML}"><p>{escape(div)}</p></div>'
    return div if div.startswith("<div") else _written(root)


def _root(div: str) -> Any:
    """Return the root element of a div, None where it is none."""
    try:
        root = _etree.fromstring(div.encode(errors="replace"), _PARSER)
    except _etree.XMLSyntaxError:
        return None
    return None if root.tag != DIV or root.getroottree().docinfo.doctype else root


def _written(node: Any) -> str:
    """Return an element as text that can stand alone, in which XHTML needs no prefixes."""
    alone = _plain(node)
    _etree.cleanup_namespaces(alone)
    return _etree.tostring(alone, encoding="unicode")


def _plain(node: Any) -> Any:
    """Return a copy of an element in which XHTML is the namespace of whatever has no prefix."""
    others = {prefix: uri for prefix, uri in node.nsmap.items() if prefix and uri != XHTML}
    made = _etree.Element(node.tag, dict(node.attrib), nsmap={**others, None: XHTML})
    open_nodes = [(node, made)]
    while open_nodes:
        source, copied = open_nodes.pop()
        copied.text = source.text
        for child in source:
            if isinstance(child.tag, str):
                part = _etree.SubElement(copied, child.tag, dict(child.attrib))
                open_nodes.append((child, part))
            else:
                part = copy.copy(child)
                copied.append(part)
            part.tail = child.tail
    return made


def _is_plain(root: Any) -> bool:
    """Whether all XHTML below an element is written without prefixes."""
    return all(node.prefix is None for node in root.iter(f"{{{XHTML}}}*"))


def divs(root: Any, body: bytes) -> dict[Any, str]:
    """Return the text of each div of a document by its element: as it stands in ``body`` wherever it can
    stand alone; where it has prefixes, which XHTML in JSON has not, written without.
    """
    nodes = [node for node in root.iter(DIV) if not _inside(node)]
    if not nodes:
        return {}
    texts = list(_slices(body))
    told = texts if len(texts) == len(nodes) else [""] * len(nodes)
    return {node: _told(node, text) for node, text in zip(nodes, told, strict=True)}


def _told(node: Any, text: str) -> str:
    alone = _root(text) if text else None
    if alone is None:
        return _written(node)
    return text if _is_plain(alone) else _written(alone)


def _inside(node: Any) -> bool:
    return any(True for _ in node.iterancestors(f"{{{XHTML}}}*"))


def _slices(body: bytes) -> Iterator[str]:
    """Give the outermost divs of a document as they are written."""
    ends = _Ends()
    parser = expat.ParserCreate("utf-8", " ")
    parser.StartElementHandler = lambda name, _: ends.start(name, parser.CurrentByteIndex)
    parser.EndElementHandler = lambda _: ends.end(parser.CurrentByteIndex)
    parser.Parse(body, True)
    for first, last in ends.found:
        yield body[first : body.find(b">", last) + 1].decode(errors="replace")


class _Ends:
    """Where divs begin and where their end tags begin, in bytes."""

    def __init__(self) -> None:
        self.depth = 0
        self.first = 0
        self.found: list[tuple[int, int]] = []

    def start(self, name: str, at: int) -> None:
        """Note the begin of an element."""
        if self.depth or name.startswith(f"{XHTML} "):
            if not self.depth:
                self.first = at
            self.depth += 1

    def end(self, at: int) -> None:
        """Note the end of an element."""
        if self.depth:
            self.depth -= 1
            if not self.depth:
                self.found.append((self.first, at))
