"""Messages leave over TLS: to who has the right certificate and no one else, from who has one of its own.

https://www.hl7.org/documentcenter/public/wg/inm/mllp_transport_specification.PDF
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from gateway.mllp.tls import Client
from tests.wire.conftest import Told
from tests.wire.house import House
from tests.wire.receiver import receiving, until
from tests.wire.test_tls import Signed, sign

CA = sign("ca.example.org")
PEM = CA.certificate.public_bytes(serialization.Encoding.PEM).decode()


def server(
    folder: Path, name: str = "lab.example.org", signer: Signed = CA, *, asks: bool = False
) -> ssl.SSLContext:
    """The TLS of a peer of that name; with `asks` only for clients that the same signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sign(name, signer).write(folder, "lab"))
    if asks:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=PEM)
    return context


def test_an_order_leaves_over_tls_to_the_peer_of_that_name(house: House, tmp_path: Path) -> None:
    with receiving(context=server(tmp_path)) as lab:
        house.peer(lab.port, tls=True, tls_name="lab.example.org", tls_ca=PEM)
        house.start()
        patient = house.patient()
        house.order(patient)
        house.order(patient)
        house.settled("acked", "acked")
    assert len(lab.messages) == 2
    assert lab.connections == 1


WRONG: dict[str, tuple[Callable[[Path], ssl.SSLContext], str]] = {
    "another name": (lambda folder: server(folder, "other.example.org"), "is not who it should be"),
    "signed by another": (
        lambda folder: server(folder, signer=sign("rogue.example.org")),
        "is not who it should be",
    ),
}


@pytest.mark.parametrize(("context", "state"), WRONG.values(), ids=WRONG)
def test_nothing_is_sent_to_who_is_not_the_peer(
    house: House, told: Told, tmp_path: Path, context: Callable[[Path], ssl.SSLContext], state: str
) -> None:
    with receiving(context=context(tmp_path)) as lab:
        house.peer(lab.port, tls=True, tls_name="lab.example.org", tls_ca=PEM)
        house.start()
        house.order(house.patient())
        until(lambda: len(told.warnings()) > 0)
    assert told.warnings()[0]["state"].startswith(state)
    assert lab.messages == []
    assert house.states() == ["queued"]


def test_a_peer_without_tls_is_sent_nothing(
    house: House, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.mllp.link.CONNECT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        house.peer(silent.getsockname()[1], tls=True, tls_name="lab.example.org", tls_ca=PEM)
        house.start()
        house.order(house.patient())
        until(lambda: len(told.warnings()) > 0)
        with silent.accept()[0] as taken:
            came = taken.recv(4096)
    assert house.states() == ["queued"]
    assert came[:1] == b"\x16"
    assert b"MSH" not in came


@pytest.mark.parametrize("known", [True, False], ids=["with a certificate", "without"])
def test_a_peer_may_ask_who_the_gateway_is(house: House, told: Told, tmp_path: Path, *, known: bool) -> None:
    client = Client(sign("suture.example.org", CA).write(tmp_path, "client")) if known else None
    with receiving(context=server(tmp_path, asks=True)) as lab:
        house.peer(lab.port, tls=True, tls_name="lab.example.org", tls_ca=PEM)
        house.start(client)
        house.order(house.patient())
        if known:
            house.settled("acked")
            assert ("commonName", "suture.example.org") in lab.certificates[0]["subject"][0]
        else:
            until(lambda: len(told.warnings()) > 0)
            assert house.states() != ["acked"]
    assert len(lab.messages) == known
