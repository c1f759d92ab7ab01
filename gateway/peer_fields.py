"""What a peer's fields may hold, whoever tells them: the command and the native door alike.

HL7 v2.5.1, section 2.15.9 (MSH): https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from gateway.mllp.acknowledge import VERSIONS
from gateway.mllp.peers import networks
from mappings.er7_charsets import codec_of
from mappings.er7_delimiters import NotHl7
from mappings.messages.places import PLACE

if TYPE_CHECKING:
    from storage.peers import Peer

LISTS = ("addresses", "message_types", "versions", "processing_ids")
"""Fields that are lists; None takes whatever the gateway takes."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_TYPE = re.compile(r"[A-Z][A-Z0-9]{2}(\^[A-Z][A-Z0-9]{2})?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_DIGEST = re.compile(r"(?:[0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}")


class NotAPeer(ValueError):
    """A field holds what it may not; the text is for people."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


def tidy(told: dict[str, Any]) -> dict[str, Any]:
    """Return fields as they are kept: without blank texts and empty lists, digests in small letters."""
    found = {name: value if value not in ("", [], {}) else None for name, value in told.items()}
    digest = found.get("certificate")
    if digest and _DIGEST.fullmatch(digest):
        found["certificate"] = digest.replace(":", "").lower()
    return found


def see(peer: Peer) -> None:
    """Raise NotAPeer for the first field that holds what it may not."""
    for name in ("version", "charset"):
        if not getattr(peer, name):
            raise NotAPeer(name, "a peer has one")
    for field in fields(peer):
        if any(_CONTROL.search(text) for text in _texts(getattr(peer, field.name))):
            raise NotAPeer(field.name, "a text has control characters")
    for name, check in _CHECKS.items():
        value = getattr(peer, name)
        if value is not None:
            check(name, value)
    known = (peer.sending_app, peer.sending_facility, peer.addresses, peer.certificate)
    if peer.direction != "out" and not any(known):
        text = "a peer that sends is known by sending_app, sending_facility, addresses or certificate"
        raise NotAPeer("sending_app", text)
    if peer.direction != "in" and not (peer.host and peer.port):
        raise NotAPeer("host", "a peer that is sent to has a host and a port")


def _texts(value: str | list[str] | dict[str, str] | None) -> Iterator[str]:
    """Yield the texts that a field holds."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield from value
    elif isinstance(value, dict):
        yield from (*value, *value.values())


def _matches(pattern: re.Pattern[str], told: str) -> Callable[[str, Any], None]:
    def check(name: str, value: Any) -> None:
        for item in [value] if isinstance(value, str) else value:
            if not pattern.fullmatch(item):
                raise NotAPeer(name, f"{item!r} is not {told}")

    return check


def _listed(values: Iterable[str]) -> Callable[[str, Any], None]:
    known = tuple(values)

    def check(name: str, value: Any) -> None:
        for item in [value] if isinstance(value, str) else value:
            if item not in known:
                raise NotAPeer(name, f"{item!r} is none of {', '.join(known)}")

    return check


def _networks(name: str, value: list[str]) -> None:
    for item in value:
        try:
            networks([item])
        except ValueError as error:
            raise NotAPeer(name, f"{item!r} is not a network, such as 10.1.0.0/16") from error


def _charset(name: str, value: str) -> None:
    try:
        known = codec_of(value)
    except NotHl7 as error:
        raise NotAPeer(name, str(error)) from error
    if known is None:
        raise NotAPeer(name, f"{value!r} is not in table 0211, such as UNICODE UTF-8 or 8859/1")


def _authorities(name: str, value: dict[str, str]) -> None:
    for authority, system in value.items():
        if not authority or not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:\S+", system):
            raise NotAPeer(name, f"{authority}={system} is not an authority and the URI of its system")


_CHECKS: dict[str, Callable[[str, Any], None]] = {
    "name": _matches(_NAME, "a name of letters, digits, dots, dashes and underscores"),
    "addresses": _networks,
    "message_types": _matches(_TYPE, "a message type, such as ORM^O01 or ADT"),
    "versions": _listed(VERSIONS),
    "version": _listed(VERSIONS),
    "processing_ids": _matches(re.compile("[A-Z]"), "a processing id, such as P"),
    "charset": _charset,
    "authorities": _authorities,
    "accession_field": _matches(PLACE, "a field, such as OBR-18"),
    "study_field": _matches(PLACE, "a field, such as ZDS-1"),
}
