"""TLS, client certificates, allowed addresses, silence: who is let in and for how long.

https://www.hl7.org/documentcenter/public/wg/inm/mllp_transport_specification.PDF
"""

from __future__ import annotations

import hashlib
import socket
import ssl
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from prometheus_client import REGISTRY

from gateway.app import new_id, now
from gateway.mllp import doors
from gateway.mllp.framing import wrap
from gateway.serve import CannotStart, check_certificates
from gateway.settings import Settings
from storage import peers
from storage.peers import Peer
from storage.session import Store
from tests.wire.conftest import Running, Told, free_port
from tests.wire.messages import journal, msa, order, states
from tests.wire.peer import (
    HOST,
    ExpectClose,
    ExpectFrame,
    ExpectNothing,
    HalfClose,
    Send,
    Step,
    Wait,
    call,
)
from tests.wire.peer import (
    Peer as Script,
)
from tests.wire.receiver import until

START = Callable[..., Running]


class Signed(NamedTuple):
    """A certificate with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def write(self, folder: Path, name: str) -> Path:
        file = folder / f"{name}.pem"
        key = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.write_bytes(key + self.certificate.public_bytes(serialization.Encoding.PEM))
        return file

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.certificate.public_bytes(serialization.Encoding.DER)).hexdigest()


def sign(name: str, signer: Signed | None = None) -> Signed:
    """A certificate of that common name, signed by itself or by another."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer.certificate.subject if signer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now() - timedelta(hours=1))
        .not_valid_after(now() + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=signer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(signer.key if signer else key, hashes.SHA256())
    )
    return Signed(made, key)


class Secured(NamedTuple):
    """A listener with TLS, and what its clients need."""

    listener: Running
    folder: Path
    port: int
    ca: Signed

    def context(self, client: Signed | None = None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.folder / "ca.pem"))
        if client is not None:
            context.load_cert_chain(client.write(self.folder, "client"))
        return context

    def play(self, steps: list[Step], client: Signed | None = None) -> list[bytes]:
        context = self.context(client)
        with (
            socket.create_connection((HOST, self.port), timeout=5) as plain,
            context.wrap_socket(plain, server_hostname="suture.example.org") as connection,
        ):
            return Script(connection).play(steps).payloads


@pytest.fixture
def secure(clean: Store, start: START, tmp_path: Path) -> Callable[..., Secured]:
    """A function that starts a listener with TLS."""

    def begin(**more: object) -> Secured:
        ca = sign("ca.example.org")
        ca.write(tmp_path, "ca")
        certificate = sign("suture.example.org", ca).write(tmp_path, "server")
        port = free_port()
        signers = {"mllp_tls_ca": tmp_path / "ca.pem"} if more.pop("asks", False) else {}
        listener = start(mllp_tls_cert=certificate, mllp_tls_port=port, **signers, **more)
        return Secured(listener, tmp_path, port, ca)

    return begin


def test_messages_come_over_tls_and_the_plain_port_stays(secure: Callable[..., Secured]) -> None:
    secured = secure()
    heard = secured.play(
        [Send(wrap(order("m1", "A1"))), ExpectFrame(), Send(wrap(order("m2", "A2"))), ExpectFrame()]
    )
    assert [msa(answer) for answer in heard] == [("AA", "m1"), ("AA", "m2")]
    assert [msa(answer) for answer in secured.listener.send(order("m3", "A3"))] == [("AA", "m3")]


def test_the_plain_port_may_be_left_out(secure: Callable[..., Secured]) -> None:
    secured = secure(mllp_tls_only=True)
    assert len(secured.play([Send(wrap(order("m1", "A1"))), ExpectFrame()])) == 1
    with pytest.raises(ConnectionRefusedError):
        call(secured.listener.port, [])


def test_a_client_without_a_signed_certificate_is_refused_and_told_of(
    secure: Callable[..., Secured], told: Told
) -> None:
    secured = secure(asks=True)
    for client in (None, sign("ehr.example.org")):
        with pytest.raises((ssl.SSLError, ConnectionError, AssertionError)):
            secured.play([Send(wrap(order("m1", "A1"))), ExpectFrame()], client)
    until(lambda: [warning["reason"] for warning in told.warnings()] == ["no TLS", "no TLS"])
    assert journal(secured.listener.store) == []
    client = sign("ehr.example.org", secured.ca)
    assert len(secured.play([Send(wrap(order("m1", "A1"))), ExpectFrame()], client)) == 1


@pytest.mark.parametrize("by", ["name", "digest"])
def test_a_peer_is_known_by_its_certificate(secure: Callable[..., Secured], by: str) -> None:
    secured = secure(asks=True)
    own, other = sign("ehr.example.org", secured.ca), sign("lab.example.org", secured.ca)
    known = "ehr.example.org" if by == "name" else own.sha256
    made = Peer(new_id(), "ehr", "EHR", certificate=known)
    with secured.listener.store.connection() as connection:
        peers.add(connection, made)
    answers = [
        *secured.play([Send(wrap(order("m1", "A1"))), ExpectFrame()], other),
        *secured.listener.send(order("m1", "A1")),
        *secured.play([Send(wrap(order("m1", "A1"))), ExpectFrame()], own),
    ]
    assert [msa(answer)[0] for answer in answers] == ["AR", "AR", "AA"]
    assert [row["peer_id"] for row in journal(secured.listener.store)] == [None, None, made.id]


def test_a_common_name_that_is_the_digest_of_another_certificate_is_no_name(
    secure: Callable[..., Secured],
) -> None:
    secured = secure(asks=True)
    own = sign("ehr.example.org", secured.ca)
    pretending = sign(own.sha256, secured.ca)
    with secured.listener.store.connection() as connection:
        peers.add(connection, Peer(new_id(), "ehr", "EHR", certificate=own.sha256))
    answers = [
        *secured.play([Send(wrap(order("m1", "A1"))), ExpectFrame()], pretending),
        *secured.play([Send(wrap(order("m1", "A1"))), ExpectFrame()], own),
    ]
    assert [msa(answer)[0] for answer in answers] == ["AR", "AA"]


def test_what_is_cut_off_is_kept_as_that_of_the_peer_whose_certificate_it_came_with(
    secure: Callable[..., Secured],
) -> None:
    secured = secure(asks=True)
    own = sign("ehr.example.org", secured.ca)
    made = Peer(new_id(), "ehr", "EHR", certificate=own.sha256)
    with secured.listener.store.connection() as connection:
        peers.add(connection, made)
    half = [Send(b"\x0b" + order("m1", "A1")[:80] + wrap(order("m2", "A2"))), ExpectFrame()]
    secured.play([*half], own)
    assert [row["peer_id"] for row in journal(secured.listener.store)] == [made.id] * 2


def test_files_that_are_no_certificates_end_the_start_with_a_reason(tmp_path: Path) -> None:
    own, other = sign("a.example.org").write(tmp_path, "a"), sign("b.example.org").write(tmp_path, "b")
    garbage, locked = tmp_path / "c.pem", tmp_path / "d.pem"
    garbage.write_text("nothing")
    secret = serialization.BestAvailableEncryption(b"secret")
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    locked.write_bytes(ec.generate_private_key(ec.SECP256R1()).private_bytes(pem, pkcs8, secret))
    wrong: list[dict[str, Any]] = [
        {"mllp_tls_cert": garbage},
        {"mllp_tls_cert": own, "mllp_tls_key": other},
        {"mllp_tls_cert": own, "mllp_tls_key": locked},
        {"mllp_tls_cert": own, "mllp_tls_ca": garbage},
        {"mllp_client_cert": garbage},
    ]
    for files in wrong:
        with pytest.raises(CannotStart, match="cannot use the certificates of TLS"):
            check_certificates(Settings(**files))
    check_certificates(Settings(mllp_tls_cert=own, mllp_tls_ca=other))


def test_a_message_too_long_is_answered_over_tls_too(secure: Callable[..., Secured]) -> None:
    secured = secure(limit=2000)
    (answer,) = secured.play([Send(b"\x0b" + order("m1", "A1") + b"x" * 3000), ExpectFrame()])
    assert msa(answer) == ("AE", "m1")


def test_a_stop_answers_what_is_in_hand_over_tls(secure: Callable[..., Secured]) -> None:
    secured = secure()
    stop = lambda _: secured.listener.stop()  # noqa: E731
    heard = secured.play([Send(wrap(order("m1", "A1"))), ExpectFrame(stop), ExpectClose()])
    assert [msa(answer) for answer in heard] == [("AA", "m1")]


def test_plain_text_at_the_tls_port_is_refused(secure: Callable[..., Secured], told: Told) -> None:
    secured = secure()
    call(secured.port, [Send(wrap(order("m1", "A1"))), Wait(0.2)])
    until(lambda: [warning["reason"] for warning in told.warnings()] == ["no TLS"])
    assert journal(secured.listener.store) == []


def test_a_handshake_that_fails_is_told_of_with_its_address_and_counted(
    secure: Callable[..., Secured], told: Told
) -> None:
    secured, before = secure(), refused("no TLS")
    call(secured.port, [Send(b"\x16\x03\x01\0\x05hello"), Wait(0.2)])
    call(secured.port, [HalfClose(), ExpectClose()])
    until(lambda: len(told.warnings()) == 2)
    assert [(warning["reason"], warning["remote"]) for warning in told.warnings()] == [("no TLS", HOST)] * 2
    assert refused("no TLS") == before + 2


def test_who_says_nothing_at_the_tls_port_is_shown_out_and_told_of(
    secure: Callable[..., Secured], told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doors, "HANDSHAKE_SECONDS", 0.2)
    secured, before = secure(), refused("too slow for TLS")
    assert call(secured.port, [ExpectClose()]).received == b""
    until(lambda: [warning["reason"] for warning in told.warnings()] == ["too slow for TLS"])
    assert refused("too slow for TLS") == before + 1
    assert len(secured.play([Send(wrap(order("m1", "A1"))), ExpectFrame()])) == 1


def test_who_has_not_agreed_on_a_key_yet_counts_as_connected(
    secure: Callable[..., Secured], told: Told
) -> None:
    secured = secure(mllp_max_connections=1)
    with socket.create_connection((HOST, secured.port)):
        time.sleep(0.1)
        assert call(secured.port, [ExpectClose()]).received == b""
    assert told.warnings()[0]["reason"] == "too many connections"


def test_no_key_is_agreed_on_with_those_from_elsewhere(secure: Callable[..., Secured], told: Told) -> None:
    secured = secure(mllp_allowed_addresses="10.0.0.0/8")
    assert call(secured.port, [ExpectClose()]).received == b""
    assert [warning["reason"] for warning in told.warnings()] == ["address not allowed"]


def test_a_stop_waits_for_nobody_who_has_not_agreed_on_a_key(secure: Callable[..., Secured]) -> None:
    secured = secure()
    with socket.create_connection((HOST, secured.port)) as silent:
        time.sleep(0.1)
        began = time.monotonic()
        secured.listener.stop()
        assert silent.recv(1) == b""
    assert time.monotonic() - began < 2


def refused(reason: str) -> float:
    """How many connections were refused for a reason."""
    counted = REGISTRY.get_sample_value("suture_mllp_connections_refused_total", {"reason": reason})
    return counted or 0


def test_who_comes_from_elsewhere_is_shown_out_with_a_warning(start: START, told: Told) -> None:
    listener = start(mllp_allowed_addresses="10.0.0.0/8,192.168.1.7")
    assert call(listener.port, [ExpectClose()]).received == b""
    assert [warning["reason"] for warning in told.warnings()] == ["address not allowed"]
    counted = REGISTRY.get_sample_value(
        "suture_mllp_connections_refused_total", {"reason": "address not allowed"}
    )
    assert counted


def test_a_peer_that_falls_silent_within_a_frame_is_shown_out_and_its_part_kept(start: START) -> None:
    listener = start(mllp_frame_seconds=1)
    half = order("m1", "A1")[:80]
    assert call(listener.port, [Send(b"\x0b" + half), ExpectClose()]).received == b""
    (row,) = journal(listener.store)
    assert (row["status"], row["raw"]) == ("error", half)
    assert row["error_text"] == "the rest of the message did not come in time"


def test_a_peer_that_has_nothing_to_say_for_long_is_shown_out(start: START) -> None:
    listener = start(mllp_idle_seconds=1)
    call(listener.port, [Send(wrap(order("m1", "A1"))), ExpectFrame(), ExpectNothing(0.5), ExpectClose()])
    assert states(listener.store) == ["applied"]


def test_garbage_is_borne_as_far_as_a_setting_says(start: START) -> None:
    listener = start(mllp_max_junk_bytes=10)
    heard = call(listener.port, [Send(b"x" * 10 + wrap(order("m1", "A1"))), ExpectFrame(), HalfClose()])
    assert [msa(answer)[0] for answer in heard.payloads] == ["AA"]
    call(listener.port, [Send(b"x" * 11), ExpectClose()])


def test_a_message_without_its_first_byte_is_taken_where_a_setting_says_so(start: START) -> None:
    bare = wrap(order("m1", "A1"))[1:]
    assert start(mllp_accept_bare=True).send(order("m0", "A0"))
    heard = call(start(mllp_accept_bare=True).port, [Send(bare), ExpectFrame()])
    assert [msa(answer) for answer in heard.payloads] == [("AA", "m1")]
    assert call(start().port, [Send(bare), ExpectNothing(0.3)]).received == b""


def test_empty_frames_are_a_sign_of_life_where_a_setting_says_so(start: START) -> None:
    listener = start(mllp_ignore_empty=True)
    steps = [
        Send(wrap(b"") + wrap(b"\r") + wrap(order("m1", "A1"))),
        ExpectFrame(),
        HalfClose(),
        ExpectClose(),
    ]
    assert [msa(answer) for answer in call(listener.port, steps).payloads] == [("AA", "m1")]
    assert states(listener.store) == ["applied"]
