"""What the settings of a destination may be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gateway.mllp.tls import context_towards
from storage.model.order import ORDER_TYPES

if TYPE_CHECKING:
    from storage.destinations import Settings
    from storage.peers import Peer

RESULT_MESSAGE = "ORU_R01"
STATE_MESSAGE = "ORR_O02"
"""A response to an order, by which whoever placed it is told where it stands."""
PROCESSING_IDS = ("P", "T", "D")
LIMITS = {
    "ack_seconds": (1, 300),
    "application_seconds": (1, 86_400),
    "retry_seconds": (0, 3600),
    "most_retry_seconds": (1, 86_400),
    "most_attempts": (1, 1000),
}
"""The least and the most of the settings that are numbers."""
REMOVED = "the destination was taken away"
DROPPED = "given up by hand"
_BREAKS = re.compile(r"[\x00-\x1f\x7f|]")


class NotADestination(ValueError):
    """A setting is what it may not be; the text is for people."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


def tidy(told: dict[str, Any]) -> dict[str, Any]:
    """Return settings as they are kept: None for blank texts and empty lists, types in capitals."""
    blank = {"sending_app", "sending_facility"}
    found = {name: None if value in ("", []) and name not in blank else value for name, value in told.items()}
    types = found.get("order_types")
    return found | ({"order_types": [each.strip().upper() for each in types]} if types else {})


def see(settings: Settings, peer: Peer) -> None:
    """Raise NotADestination for the first setting that a peer cannot have."""
    for name, text in (*_types(settings), *_names(settings), *_messages(settings, peer), *_acks(settings)):
        raise NotADestination(name, text)
    if settings.most_retry_seconds < settings.retry_seconds:
        raise NotADestination("most_retry_seconds", "the longest pause is not shorter than the first")
    try:
        context_towards(settings.tls_ca)
    except OSError as error:
        raise NotADestination("tls_ca", "these are no certificates in PEM") from error


def _types(settings: Settings) -> Iterator[tuple[str, str]]:
    for each in settings.order_types or ():
        if each not in ORDER_TYPES:
            yield "order_types", f"{each} is no type of orders: {', '.join(ORDER_TYPES)}"


def _names(settings: Settings) -> Iterator[tuple[str, str]]:
    for name in ("sending_app", "sending_facility", "tls_name"):
        if _BREAKS.search(getattr(settings, name) or ""):
            yield name, "a name has no control characters and no |"


def _messages(settings: Settings, peer: Peer) -> Iterator[tuple[str, str]]:
    """Yield what the version of a peer does not have."""
    # What knows the structures takes a second to load.
    from mappings.outbound.structure import NoStructure, structure

    results = RESULT_MESSAGE if settings.results else None
    told = (("order_message", settings.order_message), ("status_message", settings.status_message))
    for name, message in (*told, ("results", results)):
        try:
            if message is not None:
                structure(peer.version, message)
        except NoStructure as none:
            yield name, f"{none}; the version is that of the peer"


def _acks(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield what would make silence an answer."""
    accept, application = settings.accept_ack, settings.application_ack
    if settings.status_message == STATE_MESSAGE and accept != "AL":
        yield "accept_ack", "an ORR is itself an answer: that it arrived only an accept_ack AL can tell"
    if application == "ER" and accept != "AL":
        yield "application_ack", "ER is told only after an accept acknowledgement: accept_ack is AL"
    if application == "NE" and accept is None:
        yield "accept_ack", "without an application acknowledgement accept_ack is AL, or NE for none at all"
