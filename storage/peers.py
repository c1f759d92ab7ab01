"""HL7v2 peers: who they are, how they are known, and what each is taken at."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any
from uuid import UUID

from psycopg.rows import dict_row
from psycopg.types.json import Json

from storage.model.hl7 import Hl7Peer
from storage.model.people import SYSTEM_USER_ID

if TYPE_CHECKING:
    from psycopg import Connection

STRICTNESS = Hl7Peer.strictness.values
DIRECTIONS = Hl7Peer.direction.values
ACK_MODES = Hl7Peer.ack_mode.values
ORDER_ROLES = Hl7Peer.order_role.values


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer, by its columns. A list that is None takes whatever the gateway takes.

    ``sending_app``, ``sending_facility``, ``addresses`` and ``certificate`` tell by what it is known;
    ``version``, ``charset`` how it is spoken to, ``charset`` also in what it writes where it does not say.
    """

    id: UUID
    name: str
    sending_app: str | None = None
    sending_facility: str | None = None
    host: str | None = None
    port: int | None = None
    direction: str = "in"
    version: str = "2.5.1"
    charset: str = "UNICODE UTF-8"
    auto_create_patients: bool = True
    auto_create_orders: bool = True
    ack_mode: str = "enhanced"
    order_role: str = "both"
    is_active: bool = True
    addresses: list[str] | None = None
    certificate: str | None = None
    message_types: list[str] | None = None
    versions: list[str] | None = None
    processing_ids: list[str] | None = None
    authorities: dict[str, str] | None = None
    strictness: str = "lenient"
    strict_ids: bool = False
    accession_field: str | None = None
    study_field: str | None = None
    order_replies: bool = False
    batch_replies: bool = False


STRANGER = Peer(SYSTEM_USER_ID, "")
"""How a sender is taken that is nobody's peer. It stands in no table."""

_NAMES = tuple(field.name for field in fields(Peer))
_JSON = frozenset({"addresses", "message_types", "versions", "processing_ids", "authorities"})
_COLUMNS = ", ".join(_NAMES)


def listed(connection: Connection[Any]) -> list[Peer]:
    """Return all peers by name."""
    return _read(connection, "")


def find(connection: Connection[Any], name: str, *, for_change: bool = False) -> Peer | None:
    """Return the peer of a name, None where there is none; locked if it is to be changed, since a change
    stores all of it.
    """
    return next(iter(_read(connection, " WHERE name = %s", name, locked=for_change)), None)


def _read(connection: Connection[Any], where: str, *asked: Any, locked: bool = False) -> list[Peer]:
    ending = " FOR UPDATE" if locked else ""
    statement = f"SELECT {_COLUMNS} FROM hl7_peer{where} ORDER BY name{ending}"
    rows = connection.cursor(row_factory=dict_row).execute(statement.encode(), asked).fetchall()
    return [Peer(**row) for row in rows]


def add(connection: Connection[Any], peer: Peer) -> None:
    """Store a new peer. Raises psycopg's UniqueViolation for a name or a sender that another peer has."""
    places = ", ".join(["%s"] * len(_NAMES))
    connection.execute(f"INSERT INTO hl7_peer ({_COLUMNS}) VALUES ({places})".encode(), _values(peer))


def change(connection: Connection[Any], peer: Peer) -> None:
    """Store a peer as it is now, by its id. Raises as ``add``."""
    told = ", ".join(f"{name} = %s" for name in _NAMES)
    connection.execute(f"UPDATE hl7_peer SET {told} WHERE id = %s".encode(), [*_values(peer), peer.id])


def _values(peer: Peer) -> list[Any]:
    told = asdict(peer)
    return [Json(told[name]) if name in _JSON and told[name] is not None else told[name] for name in _NAMES]
