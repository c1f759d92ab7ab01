"""TLS of the MLLP port, and by what names a client's certificate is known.

IHE ITI, Authenticate Node (ITI-19), which HL7 names for MLLP over TLS:
https://www.hl7.org/documentcenter/public/wg/inm/mllp_transport_specification.PDF
"""

from __future__ import annotations

import hashlib
import ssl
from typing import TYPE_CHECKING, Any, Final

import structlog

from gateway.mllp.admission import REFUSED

if TYPE_CHECKING:
    from gateway.settings import Settings

HANDSHAKE_SECONDS: Final = 10.0
"""How long a peer has to agree on a key."""


_log = structlog.get_logger(__name__)


class _Told(ssl.SSLObject):
    """One peer's side of TLS, which tells when it fails: asyncio keeps that to itself."""

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            REFUSED.labels("no TLS").inc()
            _log.warning("connection refused", reason="no TLS", told=error.reason)
            raise


def context_of(settings: Settings) -> ssl.SSLContext:
    """Return the TLS context of the listener: TLS 1.2 or newer; where signers of clients are told, every
    client must have a certificate. Raises OSError, of which ssl.SSLError is a kind, for files that are none.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sslobject_class = _Told
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.mllp_tls_cert is not None:
        context.load_cert_chain(settings.mllp_tls_cert, settings.mllp_tls_key)
    if settings.mllp_tls_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(settings.mllp_tls_ca)
    return context


def names(connection: ssl.SSLObject | None) -> frozenset[str]:
    """Return by what a client's certificate is known: its common name, its SHA-256 in hex; none without."""
    if connection is None:
        return frozenset()
    told: dict[str, Any] = connection.getpeercert() or {}
    whole = connection.getpeercert(binary_form=True)
    found = {value for part in told.get("subject", ()) for name, value in part if name == "commonName"}
    return frozenset(found | ({hashlib.sha256(whole).hexdigest()} if whole else set()))
