"""What the native door's requests have in common: bodies checked against a form, queries against a list."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec
from litestar import Request, Response

from gateway import errors
from gateway.fhir import wire
from gateway.records import Caller, Records
from gateway.unit import Unit
from storage.lexical import ENCODER, decimal_of

Ask = Request[Any, Any, Any]
T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)

_encode = ENCODER.encode
_WORDS = re.compile(r"matching regex '\^\((.*)\)\$'")
"""How msgspec tells that a text is none of some words."""
_PLAIN = str.maketrans({"|": ", ", "\\": ""})
_FIELD = re.compile(r"(?:unknown|required) field `([^`]+)`")
"""How it names a field that is not there, or should not be."""


def records_of(request: Ask) -> Records:
    """Return the records that the app was made with."""
    return request.app.state.records


def caller_of(request: Ask) -> Caller:
    """Return who calls: the user of the X-User header, until sign-on exists."""
    client = request.client
    return Caller("rest", request.headers.get("x-user"), address=client.host if client else None)


async def within(request: Ask, work: Callable[[Unit], T]) -> T:
    """Return what a piece of work returns that is done in one unit, as who calls."""
    return await asyncio.to_thread(records_of(request).unit, caller_of(request), work)


def see_administrator(unit: Unit, changes: str) -> None:
    """See that who acts may change what administrators change. Raises Forbidden."""
    if unit.role not in (None, "admin"):
        raise errors.Forbidden(f"Only an administrator changes {changes}.", expression="X-User")


async def negotiate(request: Ask) -> None:
    """Refuse a body that is not JSON, and callers that do not take it. One that does not say what it is may
    be JSON: no page of elsewhere can send it (``gateway.origins``).

    Raises UnsupportedMediaType, NotAcceptable; NotFound for a path that nothing can have.
    """
    if "\0" in request.scope["path"]:
        raise errors.NotFound("Nothing is named with the character U+0000.")
    if not wire.accepts_json(request.headers.get("accept")):
        raise errors.NotAcceptable("Only application/json can be given.")
    kind = request.headers.get("content-type", "application/json")
    if request.method in ("POST", "PUT", "PATCH") and not wire.is_json(kind):
        raise errors.UnsupportedMediaType("The body must be application/json in UTF-8.")


def form(body: bytes, kind: type[T]) -> T:
    """Return a body as its form. Raises NotParseable where it is no JSON that a door here takes, ValueInvalid
    or CodeInvalid where it is not that form.
    """
    # What JSON alone may go wrong with is told by the one who tells it at the other door.
    wire.decode(body)
    try:
        # Decimals are kept as they were written, as at the FHIR door.
        return msgspec.json.Decoder(kind, float_hook=decimal_of).decode(body)
    except msgspec.ValidationError as error:
        message, place = _told(error)
        wrong = errors.CodeInvalid if _WORDS.search(str(error)) else errors.ValueInvalid
        raise wrong(message, expression=place) from error
    except msgspec.DecodeError as error:
        raise errors.NotParseable(str(error)) from error


class Told(msgspec.Struct):
    """A form of which callers fill a part."""

    def told(self) -> dict[str, Any]:
        """Return what was sent, or stands for what was not, by name."""
        named = ((name, getattr(self, name)) for name in self.__struct_fields__)
        return {name: value for name, value in named if value is not msgspec.UNSET}


def one_of(words: Sequence[str]) -> msgspec.Meta:
    """Return what makes a text one of some words."""
    pattern = f"^({'|'.join(map(re.escape, words))})$"
    return msgspec.Meta(pattern=pattern, extra_json_schema={"enum": list(words)})


def query(request: Ask, kind: type[S]) -> S:
    """Return the query of a request as a form; a parameter without a value is not there.

    Raises UnknownParameter for one that the form does not have, UnsupportedParameterValue.
    """
    told = [(name, value) for name, value in request.query_params.multi_items() if value != ""]
    asked, known = dict(told), kind.__struct_fields__
    for name, value in told:
        if "\0" in value:
            raise errors.UnsupportedParameterValue(f"{name} holds the character U+0000.", expression=name)
        if name not in known:
            listed = ", ".join(sorted(known))
            raise errors.UnknownParameter(
                f"There is no parameter {name}; there are: {listed}.", expression=name
            )
        if value != asked[name]:
            raise errors.UnsupportedParameterValue(f"{name} is given more than once.", expression=name)
    try:
        return msgspec.convert(asked, kind, strict=False)
    except msgspec.ValidationError as error:
        told, name = _told(error)
        raise errors.UnsupportedParameterValue(f"{name}: {told}", expression=name) from error


def _told(error: msgspec.ValidationError) -> tuple[str, str | None]:
    """Return what is wrong with a form, and where."""
    message, _, place = str(error).partition(" - at `")
    if words := _WORDS.search(message):
        message = f"One of {words[1].translate(_PLAIN)} is needed"
    places = [place.rstrip("`").removeprefix("$").removeprefix(".")]
    if named := _FIELD.search(message):
        places.append(named[1])
    return message, ".".join(filter(None, places)) or None


def answer(value: Any, status: int = 200) -> Response[bytes]:
    """Return a value as JSON, decimals as they are kept."""
    return Response(_encode(value), status_code=status, media_type="application/json")
