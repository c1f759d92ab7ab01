"""Whether nothing is lost: what was received is applied, a repeat, rejected, failed, or waits.

HL7 v2.5.1, section 2.9 (message processing rules):
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec

from storage import messages

if TYPE_CHECKING:
    from gateway.records import Records
    from storage.messages import Asked, Tally

GROUPS: Final = {
    "received": "waiting",
    "applied": "applied",
    "duplicate": "duplicate",
    "rejected": "rejected",
    "error": "failed",
}
"""Status of a message that came in -> what it is counted as."""


class Reconciliation(msgspec.Struct, kw_only=True):
    """Messages that came from peers, by what became of them; replays and messages that leave are apart.

    ``unexplained`` are those that are none of these: always 0, or something is wrong. ``open`` are those that
    were rejected or failed and whose content was not applied since.
    """

    received: int = 0
    applied: int = 0
    duplicate: int = 0
    rejected: int = 0
    failed: int = 0
    waiting: int = 0
    unexplained: int = 0
    open: int = 0
    oldest_waiting: datetime | None = None
    replays: dict[str, int] = msgspec.field(default_factory=dict[str, int])
    outgoing: dict[str, int] = msgspec.field(default_factory=dict[str, int])


def reconcile(records: Records, asked: Asked) -> Reconciliation:
    """Count the messages that filters leave (``storage.messages.FILTERS``), whatever their status."""
    with records.store.connection() as connection:
        made = of_tallies(messages.tallies(connection, asked))
        made.open = messages.total(connection, {**asked, "state": "open", "direction": "in"})
    return made


def of_tallies(tallies: Iterable[Tally]) -> Reconciliation:
    """Return messages that were counted once, sorted by what they are; ``open`` is not told by that."""
    made = Reconciliation()
    for tally in tallies:
        if tally.direction == "out":
            made.outgoing[tally.status] = made.outgoing.get(tally.status, 0) + tally.number
            continue
        name = GROUPS.get(tally.status, "unexplained")
        if tally.is_replay:
            made.replays[name] = made.replays.get(name, 0) + tally.number
        else:
            made.received += tally.number
            setattr(made, name, getattr(made, name) + tally.number)
        if tally.status == "received":
            made.oldest_waiting = min(filter(None, (made.oldest_waiting, tally.oldest)))
    return made
