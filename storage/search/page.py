"""Cursors: where a page begins, as a signed text that the client keeps, so that the server need not.

A cursor holds the sort keys and the id of one row. It never expires, and it is good for the search that it
came from: another order has another fingerprint.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID
from weakref import WeakKeyDictionary

import msgspec

from storage.session import Raw

if TYPE_CHECKING:
    from storage.search.query import Query

SETTING = "cursor-key"
_SIGNATURE = 16
_KEYS: WeakKeyDictionary[Raw, bytes] = WeakKeyDictionary()


class BadCursor(Exception):
    """The cursor was not made here, or for another search."""


@dataclass(frozen=True)
class Cursor:
    """A place between two rows of an order: just after a row, or, ``backward``, just before it."""

    values: tuple[Any, ...]
    last: UUID
    backward: bool = False


def signing_key(connection: Raw) -> bytes:
    """Return the secret that all processes of this gateway share; the first that needs it makes it."""
    known = _KEYS.get(connection)
    if known is None:
        known = _stored_key(connection) or _make_key(connection)
        _KEYS[connection] = known
    return known


def _stored_key(connection: Raw) -> bytes | None:
    found = connection.execute("SELECT value FROM site_setting WHERE name = %s", [SETTING]).fetchone()
    return found[0] if found else None


def _make_key(connection: Raw) -> bytes:
    # Two processes may come here together; what stands in the table counts.
    made = "INSERT INTO site_setting (name, value) VALUES (%s, %s) ON CONFLICT DO NOTHING"
    connection.execute(made, [SETTING, secrets.token_bytes(32)])
    found = _stored_key(connection)
    if found is None:
        raise LookupError(SETTING)
    return found


def fingerprint(query: Query) -> str:
    """Return what a cursor must have in common with the search that it is used in: type and order."""
    keys = (f"{'-' if key.descending else ''}{key.name}" for key in query.sort)
    return " ".join([query.resource_type, *query.types, *keys])


def seal(key: bytes, query: Query, cursor: Cursor) -> str:
    """Return a cursor as text that only holders of the key can make."""
    values = [_told(value) for value in cursor.values]
    body = msgspec.msgpack.encode((fingerprint(query), cursor.backward, cursor.last.bytes, values))
    return base64.urlsafe_b64encode(_sign(key, body) + body).rstrip(b"=").decode()


def unseal(key: bytes, query: Query, text: str) -> Cursor:
    """Return the cursor of a text. Raises BadCursor."""
    try:
        sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise BadCursor from None
    signature, body = sealed[:_SIGNATURE], sealed[_SIGNATURE:]
    if not hmac.compare_digest(signature, _sign(key, body)):
        raise BadCursor
    search, backward, last, values = msgspec.msgpack.decode(body)
    if search != fingerprint(query):
        raise BadCursor
    return Cursor(tuple(_read(value) for value in values), UUID(bytes=last), backward)


def _sign(key: bytes, body: bytes) -> bytes:
    return hmac.digest(key, body, hashlib.sha256)[:_SIGNATURE]


def _told(value: Any) -> Any:
    """Keep the type of a sort key: numbers and times as tagged text, all else as it is."""
    if isinstance(value, Decimal):
        return ["n", str(value)]
    if isinstance(value, datetime):
        return ["t", value.isoformat()]
    if isinstance(value, UUID):
        return ["u", str(value)]
    return value


def _read(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    kind, text = map(str, value)  # pyright: ignore[reportUnknownArgumentType]
    return {"n": Decimal, "t": datetime.fromisoformat, "u": UUID}[kind](text)
