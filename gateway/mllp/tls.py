"""TLS of the MLLP port and towards peers, and by what names a client's certificate is known.

IHE ITI, Authenticate Node (ITI-19), which HL7 names for MLLP over TLS:
https://www.hl7.org/documentcenter/public/wg/inm/mllp_transport_specification.PDF
"""

from __future__ import annotations

import hashlib
import re
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from gateway.settings import Settings

NOBODY_ASKS: Final = ""
"""The password of keys that have one: nobody is there to be asked for it."""
_DIGEST: Final = re.compile("[0-9A-Fa-f]{64}")


def context_of(settings: Settings) -> ssl.SSLContext:
    """Return the TLS context of the listener: TLS 1.2 or newer; where signers of clients are told, every
    client must have a certificate. Raises OSError, of which ssl.SSLError is a kind, for files that are none.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Who a client is, is looked at once.
    context.options |= ssl.OP_NO_RENEGOTIATION
    if settings.mllp_tls_cert is not None:
        context.load_cert_chain(settings.mllp_tls_cert, settings.mllp_tls_key, password=NOBODY_ASKS)
    if settings.mllp_tls_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(settings.mllp_tls_ca)
    return context


class Client(NamedTuple):
    """The files by which the gateway tells peers who it is: certificate chain and key, PEM."""

    certificate: Path
    key: Path | None = None


def client_of(settings: Settings) -> Client | None:
    """Return by what peers that are sent to know the gateway. Raises OSError for files that are none."""
    if settings.mllp_client_cert is None:
        return None
    made = Client(settings.mllp_client_cert, settings.mllp_client_key)
    context_towards(None, made)
    return made


def context_towards(ca: str | None, client: Client | None = None) -> ssl.SSLContext:
    """Return the TLS context of a connection to a peer: TLS 1.2 or newer, its certificate for the name by
    which it is called, signed by ``ca`` (PEM), else by whom this machine trusts.

    Raises OSError, of which ssl.SSLError is a kind, for what is no certificate.
    """
    context = ssl.create_default_context(cadata=ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if client is not None:
        context.load_cert_chain(client.certificate, client.key, password=NOBODY_ASKS)
    return context


def names(connection: ssl.SSLObject | None) -> frozenset[str]:
    """Return by what a client's certificate is known: its common name, its SHA-256 in hex; none without.

    A common name that looks like the SHA-256 of a certificate may be that of another's, and is left out.
    """
    if connection is None:
        return frozenset()
    told: dict[str, Any] = connection.getpeercert() or {}
    whole = connection.getpeercert(binary_form=True)
    found = {value for part in told.get("subject", ()) for name, value in part if name == "commonName"}
    found = {name for name in found if not _DIGEST.fullmatch(name)}
    return frozenset(found | ({hashlib.sha256(whole).hexdigest()} if whole else set()))
