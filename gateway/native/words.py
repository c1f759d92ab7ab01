"""What the native door's requests have in common: bodies checked against a form, queries against a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
from litestar import Request, Response

from gateway import errors
from gateway.fhir import wire
from gateway.records import Caller, Records
from storage.lexical import ENCODER, decimal_of

Ask = Request[Any, Any, Any]
T = TypeVar("T")

_encode = ENCODER.encode


def records_of(request: Ask) -> Records:
    """Return the records that the app was made with."""
    return request.app.state.records


def caller_of(request: Ask) -> Caller:
    """Return who calls: the user of the X-User header, until sign-on exists."""
    return Caller("rest", request.headers.get("x-user"))


async def negotiate(request: Ask) -> None:
    """Refuse a body that is not JSON, and callers that do not take it.

    Raises UnsupportedMediaType, NotAcceptable.
    """
    if not wire.accepts_json(request.headers.get("accept")):
        raise errors.NotAcceptable("Only application/json can be given.")
    kind = request.headers.get("content-type", "application/json")
    if request.method in ("POST", "PUT", "PATCH") and not wire.is_json(kind):
        raise errors.UnsupportedMediaType("The body must be application/json in UTF-8.")


def form(body: bytes, kind: type[T]) -> T:
    """Return a body as its form. Raises NotParseable where it is no JSON, ValueInvalid where it is not that
    form.
    """
    try:
        # Decimals are kept as they were written, as at the FHIR door.
        return msgspec.json.Decoder(kind, float_hook=decimal_of).decode(body)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `")
        raise errors.ValueInvalid(message, expression=place.rstrip("`").removeprefix("$.") or None) from error
    except msgspec.DecodeError as error:
        raise errors.NotParseable(str(error)) from error


def parameters(request: Ask, *known: str) -> dict[str, str]:
    """Return the query of a list. Raises UnknownParameter for one that the list does not have."""
    asked = {name: value for name, value in request.query_params.items() if value != ""}
    for name in asked:
        if name not in known:
            listed = ", ".join(sorted(known))
            raise errors.UnknownParameter(
                f"There is no parameter {name}; there are: {listed}.", expression=name
            )
    return asked


def number(asked: dict[str, str], name: str, usual: int, most: int) -> int:
    """Return a whole number of a query between 0 and ``most``. Raises UnsupportedParameterValue."""
    text = asked.pop(name, str(usual))
    if not text.isdecimal() or int(text) > most:
        raise errors.UnsupportedParameterValue(
            f"{name} is a whole number up to {most}, not {text}.", expression=name
        )
    return int(text)


def one_of(asked: dict[str, str], name: str, allowed: Sequence[str]) -> None:
    """See that a parameter of a query, where it is given, is one of our words. Raises
    UnsupportedParameterValue.
    """
    if asked.get(name, allowed[0]) not in allowed:
        listed = ", ".join(allowed)
        raise errors.UnsupportedParameterValue(
            f"{name} is one of {listed}, not {asked[name]}.", expression=name
        )


def answer(value: Any, status: int = 200) -> Response[bytes]:
    """Return a value as JSON, decimals as they are kept."""
    return Response(_encode(value), status_code=status, media_type="application/json")
