"""FHIR JSON to and from bytes, and its media types.

https://hl7.org/fhir/R4/json.html and https://hl7.org/fhir/R4/http.html#mime-type.
What is read is written back letter for letter where FHIR gives letters a meaning: decimals keep their
spelling.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, NoReturn, cast

import msgspec

from gateway.errors import NotParseable, UnsupportedMediaType
from gateway.fhir import media
from storage.lexical import DECODER, ENCODER

Object = dict[str, Any]
DEEPEST = 64
"""How many objects and arrays may stand within each other. Extensions nest, but never so far."""

_MOST_PLACES = 5
_BOM = b"\xef\xbb\xbf"
# An escaped NUL: the backslash itself must not be escaped.
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def encode(resource: Object) -> bytes:
    """A resource as compact UTF-8 JSON."""
    return ENCODER.encode(resource)


def decode(body: bytes) -> Object:
    """A JSON object from a request's body: numbers with a point or exponent become Decimal, whole ones int.

    Raises NotParseable for an empty body, malformed JSON, anything but an object at the top, a property given
    twice, NUL characters, lone surrogates and nesting deeper than DEEPEST; it says where.
    """
    body = body.removeprefix(_BOM)
    if not body.strip():
        raise NotParseable("The body is empty; a JSON object is needed")
    try:
        value = DECODER.decode(body)
    except (ValueError, ArithmeticError, RecursionError) as error:
        _explain(body, error)
    if type(value) is not dict:
        raise NotParseable(f"A JSON object is needed at the top, not {_kind(value)}")
    resource = cast("Object", value)
    # No more brackets than levels allowed: no need to look. Brackets in text only make it look too often.
    if body.count(b"{") + body.count(b"[") > DEEPEST and _too_deep(resource):
        raise NotParseable(f"The JSON is nested deeper than {DEEPEST} levels")
    if b"\\u0000" in body and _NUL.search(body):
        raise NotParseable("Text holds the character U+0000, which FHIR does not allow")
    if _may_repeat(body, resource):
        _refuse_repeated(body)
    return resource


def _kind(value: Any) -> str:
    kinds = {list: "an array", str: "text", bool: "a boolean", type(None): "null"}
    return kinds.get(cast("type[Any]", type(value)), "a number")


def _parts(value: Any) -> Iterable[Any]:
    return cast("Object", value).values() if type(value) is dict else value


def _too_deep(value: Any) -> bool:
    level: list[Any] = [value]
    for _ in range(DEEPEST):
        below: Iterator[Any] = chain.from_iterable(map(_parts, level))
        level = [part for part in below if type(part) is dict or type(part) is list]
        if not level:
            return False
    return True


def _may_repeat(body: bytes, resource: Object) -> bool:
    """Whether a property may stand twice: False is certain.

    The decoder keeps the last of two equal names, so what is written again has a colon less. Colons within
    text are the same in both, unless one is written as an escape.
    """
    if b"\\u003" in body and (b"\\u003a" in body or b"\\u003A" in body):
        return True
    return body.count(b":") != ENCODER.encode(resource).count(b":")


def _refuse_repeated(body: bytes) -> None:
    """Raise NotParseable if a property stands twice in the same object; the slow way, which finds where."""
    repeated: dict[int, tuple[Object, str]] = {}

    def paired(pairs: list[tuple[str, Any]]) -> Object:
        made = dict(pairs)
        if len(made) < len(pairs) and len(repeated) < _MOST_PLACES:
            seen: set[str] = set()
            name = next(name for name, _ in pairs if name in seen or seen.add(name))
            # The object is kept, so that no other gets its id.
            repeated[id(made)] = (made, name[:60])
        return made

    root = json.loads(body, object_pairs_hook=paired)
    if repeated:
        places = sorted(_places(root, {key: name for key, (_, name) in repeated.items()}))
        told = places or [name for _, name in repeated.values()]
        raise NotParseable(f"Properties are given twice: {', '.join(told)}", expression=told[0])


_Trail = tuple["_Trail | None", str | int]


def _places(root: Object, wanted: dict[int, str]) -> Iterator[str]:
    """The paths of the objects whose id is wanted, with the property; none for what was overwritten."""
    stack: list[tuple[_Trail, Any]] = [((None, str(root.get("resourceType", "Resource"))[:60]), root)]
    while stack:
        trail, value = stack.pop()
        if isinstance(value, dict):
            parts = cast("Object", value)
            if name := wanted.get(id(parts)):
                yield f"{_path(trail)}.{name}"
            stack += [((trail, key), part) for key, part in parts.items()]
        elif isinstance(value, list):
            stack += [((trail, index), part) for index, part in enumerate(cast("list[Any]", value))]


def _path(trail: _Trail) -> str:
    owner, part = trail
    if owner is None:
        return str(part)
    return f"{_path(owner)}[{part}]" if isinstance(part, int) else f"{_path(owner)}.{part[:60]}"


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _explain(body: bytes, error: Exception) -> NoReturn:
    """Raise NotParseable that says what is wrong and on which line, which the quick decoder does not tell."""
    if isinstance(error, RecursionError):
        raise NotParseable(f"The JSON is nested deeper than {DEEPEST} levels") from None
    text = "The JSON is malformed"
    try:
        again = json.loads(body.decode(), parse_constant=_no_constant)
    except UnicodeDecodeError as cause:
        text = f"The body is not UTF-8: byte {cause.start}"
    except json.JSONDecodeError as cause:
        text = f"The JSON is malformed: {cause.msg} at line {cause.lineno}, column {cause.colno}"
    except (ValueError, RecursionError) as cause:
        text = f"The JSON is malformed: {cause}"
    else:
        if _SURROGATE.search(json.dumps(again, ensure_ascii=False)):
            text = "Text holds half of a surrogate pair"
        elif isinstance(error, ArithmeticError | msgspec.ValidationError):
            text = "A number is beyond reason"
    raise NotParseable(text) from None


# Media types.

FHIR_JSON = media.FHIR_JSON
JSON_TYPES = frozenset({FHIR_JSON, "application/json", "text/json"})
_FORMATS = JSON_TYPES | {"json"}
_ANY = frozenset({"*/*", "application/*", "text/*"})


def is_json(content_type: str) -> bool:
    """Whether a Content-Type is FHIR JSON in UTF-8 (`text/json` and `application/json` count)."""
    try:
        return media.body_format(content_type) == "json"
    except UnsupportedMediaType:
        return False


def accepts_json(header: str | None, format_parameter: str | None = None) -> bool:
    """Whether FHIR JSON may be the answer to an Accept header, or to `_format`, which goes before it.

    No header, or an empty one, accepts anything (RFC 9110 section 12.5.1). A `+` in `_format` may come as a
    space.
    """
    if format_parameter:
        media_type, parameters = media.split(format_parameter.strip().replace("fhir json", "fhir+json"))
        return media_type in _FORMATS and media.version_fits(parameters)
    if header is None or not header.strip():
        return True
    ranges = [media.split(part) for part in header.split(",")]
    named = [p for media_type, p in ranges if media_type in JSON_TYPES]
    fitting = named or [p for media_type, p in ranges if media_type in _ANY]
    return any(media.weight(p) > 0 and media.version_fits(p) for p in fitting)
