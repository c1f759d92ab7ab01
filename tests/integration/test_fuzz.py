"""The running gateway, asked whatever its own description allows and forbids, and what no description tells.

A caller's doing is never a fault of the gateway's: no 5xx, and each refusal in the words of its door. `make
fuzz` does more of it, each time other things.
"""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import msgspec
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import checks
from schemathesis.core.result import Ok
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from mappings.resources import REGISTRY
from mappings.search import parameters
from storage.session import Store
from tests.fixtures.fuzz import FUZZ, TIMES
from tests.fixtures.server import Fhir, Gateway, outcome
from tests.strategies.resources import resource

SHARES = 4
"""In how many tests the native door is asked, so that several processes can do it."""
PROMISES = [
    checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
HERE = {
    "resource_type": "Patient",
    "fhir_id": "p",
    "procedure_id": "x",
    "version": "1",
    "member": "Observation",
    "kind": "hipscope",
    "members": "outcomes",
    "patient_id": "p",
    "encounter_id": "v",
}


def fuzzed(count: int) -> settings:
    """Return how examples are chosen: quickly, the first that is wrong is made small."""
    return settings(
        max_examples=count * TIMES,
        derandomize=not FUZZ,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
    )


Restock = Callable[[], str]


@pytest.fixture
def restock(fhir: Fhir, store: Store, _wipe: str) -> Restock:
    """Let there be a patient with a visit, a procedure and a research case, alone; the case's id."""
    subject = {"reference": "Patient/p"}
    ambulatory = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"}
    visit = {"status": "planned", "period": {"start": "2026-03-02"}, "class": ambulatory}

    def make() -> str:
        # Anew each time: a visit that was told to be an error stays one.
        with store.connection() as connection:
            connection.execute(_wipe.encode())
        fhir.made("Patient", id="p", name=[{"family": "Doe"}], birthDate="1961-05")
        fhir.made("Encounter", id="v", subject=subject, **visit)
        fhir.made("Procedure", id="x", status="preparation", code={"text": "Hip"}, subject=subject)
        return fhir.http.post("/api/v1/rc/hipscope", json={"encounter_id": "v"}).json()["id"]

    return make


def operations(gateway: Gateway, prefix: str) -> Iterator[Any]:
    """Give the operations of the description whose paths begin so."""
    described = schemathesis.openapi.from_url(f"{gateway.url}/docs/openapi.json")
    for found in described.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        if operation.path.startswith(prefix):
            yield operation


def keep_promises(operation: Any, count: int, known: dict[str, str]) -> None:
    """Ask an operation what fits its description and what does not, of anything and of what is there."""
    session = requests.Session()

    def ask(case: Any, data: st.DataObject) -> None:
        for name, there in (("encounter_id", "v"), ("patient_id", "p")):
            if isinstance(case.body, dict) and name in case.body:
                case.body[name] = data.draw(st.sampled_from([there, "nobody", case.body[name]]))
        if case.query and data.draw(st.booleans()):
            kept = data.draw(st.sets(st.sampled_from(sorted(case.query)), max_size=3))
            case.query = {name: case.query[name] for name in kept}
        case.call_and_validate(session=session, checks=PROMISES)

    names = {made.name for made in operation.path_parameters}
    anchors = [None, {name: value for name, value in known.items() if name in names}]
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        for anchor in anchors if names else [None]:
            cases = operation.as_strategy(generation_mode=mode, path_parameters=anchor)
            try:
                fuzzed(count)(given(case=cases, data=st.data())(ask))()
            except Unsatisfiable:
                assert mode is GenerationMode.NEGATIVE, "there is something to ask"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("prefix", "count", "share"),
    [
        *(("/api", 10, share) for share in range(SHARES)),
        *((prefix, count, None) for prefix, count in (("/health", 1), ("/metrics", 1), ("/fhir", 3))),
    ],
)
def test_each_door_keeps_what_its_description_promises(
    gateway: Gateway, restock: Restock, prefix: str, count: int, share: int | None
) -> None:
    found = list(operations(gateway, prefix))[share :: 1 if share is None else SHARES]
    assert found
    for operation in found:
        keep_promises(operation, count, HERE | {"case_id": restock()})


# --- what no description tells ---

WRITES = (
    "POST /fhir/Patient",
    "PUT /fhir/Patient/p",
    "PATCH /fhir/Patient/p",
    "POST /fhir",
    "POST /fhir/Observation/_search",
    "POST /fhir/Patient/$validate",
    "POST /fhir/Patient/p/$meta-add",
    "PATCH /api/procedures/x",
    "POST /api/v1/rc/hipscope",
    "PATCH /api/v1/encounters/v",
    "POST /api/v1/patients/p/visits",
)
READS = (
    "/fhir/Patient",
    "/fhir/Observation",
    "/fhir/Patient/p",
    "/fhir/Patient/p/Observation",
    "/fhir/Patient/p/$everything",
    "/fhir/Observation/$lastn",
    "/fhir/_history",
    "/fhir/metadata",
    "/fhir",
    "/api/procedures",
    "/api/v1/encounters",
    "/api/v1/patients/p/visits",
)
MEDIA_TYPES = (
    "application/fhir+json",
    "application/fhir+xml",
    "application/json",
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/x-www-form-urlencoded",
    "application/fhir+json; charset=utf-16",
    "multipart/form-data; boundary=x",
    "text/plain",
    "",
    "/",
)
HEADERS = (
    "Accept",
    "Accept-Encoding",
    "Content-Encoding",
    "Content-Type",
    "Cookie",
    "Host",
    "If-Match",
    "If-Modified-Since",
    "If-None-Exist",
    "If-None-Match",
    "Origin",
    "Prefer",
    "Range",
    "X-User",
)
ODD = (
    "%",
    "%zz",
    "%00",
    "%ff",
    "%ed%a0%80",
    "%c3%28",
    "+",
    "&",
    "=",
    ";",
    "#",
    ":",
    "|",
    "$",
    ",",
    "\\",
    "%5c",
    "%26",
)
OWN_ANSWER = (400, 405, 408, 411, 413, 414, 417, 431, 501)
"""What the HTTP server itself may answer, without a word, to what is no HTTP."""


def ask(gateway: Gateway, method: str, target: bytes, headers: list[tuple[str, bytes]], body: bytes) -> int:
    """Send a request byte for byte and return the status of the answer; asserts that it is one of the door
    that was asked, and no 5xx.
    """
    given_host = any(name == "Host" for name, _ in headers)
    lines = [method.encode() + b" " + target + b" HTTP/1.1", b"Connection: close"]
    lines += [] if given_host else [b"Host: localhost"]
    lines += [name.encode() + b": " + value for name, value in headers]
    lines += [b"Content-Length: %d" % len(body)] if body else []
    with socket.create_connection(("127.0.0.1", gateway.http_port), timeout=60) as connection:
        with suppress(ConnectionError):  # what is too long is answered before it is sent whole
            connection.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + body)
        answer = http.client.HTTPResponse(connection, method=method)
        answer.begin()
        see(method, target, answer, answer.read())
        return answer.status


def see(method: str, target: bytes, answer: http.client.HTTPResponse, body: bytes) -> None:
    where = (target[:200], answer.status, body[:500])
    assert answer.status < 500, where
    silent = answer.status in OWN_ANSWER or method == "HEAD"
    if answer.status < 400 or (not body and silent):
        return
    kind = answer.getheader("content-type", "")
    if target.startswith(b"/fhir"):
        assert kind.startswith(("application/fhir+json", "application/fhir+xml")), where
        assert b"OperationOutcome" in body, where
    else:
        assert kind.startswith("application/problem+json"), where
        assert msgspec.json.decode(body)["status"] == answer.status, where


NUMBERS = st.sampled_from([0, -1, 54, 2**63, 2**70, 10**400, 1.5, True, "54", "1e9", [], {}, None])
TEXTS = st.one_of(
    st.text(max_size=5), st.sampled_from(["ready", "left", "2026-03-02", "2026-02-30", "v", "\0"])
)
native = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(
            ("encounter_id", "surgery_date", "side", "surgical_status", "notes", "status"), TEXTS
        ),
        **dict.fromkeys(("cup_size", "estimated_minutes", "asa_class", "bmi_at_surgery"), NUMBERS),
        **dict.fromkeys(("scheduled_start", "scheduled_end", "scheduled_location", "override_reason"), TEXTS),
        "barriers": st.lists(TEXTS, max_size=3),
        "labrum": NUMBERS,
        "cardiology_clearance": st.one_of(NUMBERS, TEXTS),
    },
)
"""What callers of the native door may send."""


@st.composite
def marred(draw: st.DrawFn) -> bytes:
    """A resource, or what looks like one, with some bytes struck out, doubled or put in."""
    kind = draw(st.sampled_from(["Patient", "Observation", "Procedure", "Bundle", "Claim", "", ""]))
    text = msgspec.json.encode(draw(resource(kind) if kind else native))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 30)))
        put = draw(st.one_of(st.binary(max_size=6), st.sampled_from(PIECES), st.just(text[start:end] * 2)))
        text = text[:start] + put + text[end:]
    return text


PIECES = (
    *(b"\\u0000", b"\\ud800", b"\xed\xa0\x80", b"\xff", b"null", b"{}", b"[]", b"[" * 3000, b'{"a":' * 3000),
    *(
        b"1e999999999",
        b"-0",
        b"1" * 5000,
        b"NaN",
        b'"',
        b"<!DOCTYPE x [<!ENTITY y 'z'>]>",
        b"<Patient/>",
        b"&y;",
    ),
)
RAW = st.one_of(st.binary(max_size=300), marred(), st.sampled_from(PIECES))


@pytest.mark.slow
@pytest.mark.parametrize("write", WRITES)
def test_any_bytes_as_any_media_type_are_no_fault_of_the_gateway(
    gateway: Gateway, restock: Restock, write: str
) -> None:
    method, _, target = write.partition(" ")
    restock()

    @fuzzed(60)
    @given(kind=st.sampled_from(MEDIA_TYPES), body=RAW)
    def send(kind: str, body: bytes) -> None:
        ask(gateway, method, target.encode(), [("Content-Type", kind.encode())], body)

    send()


NAMES = sorted(
    {name for mapping in (REGISTRY["Patient"], REGISTRY["Observation"]) for name in parameters(mapping)}
)
CONTROLS = (
    *("_has", "_has:Observation:patient:code", "_include", "_revinclude:iterate", "_sort", "_count"),
    *("_total", "_summary", "_elements", "_filter", "_list", "_cursor", "_type", "_since", "_at", "_format"),
    *("_before", "subject.name", "subject:Patient.birthdate", "skip", "limit", "max", "start", "mode"),
    *("scheduled_location", "surgical_status", "patient_mrn"),
)
MODIFIERS = (
    *("", ":missing", ":exact", ":not", ":in", ":below", ":of-type", ":identifier", ":Patient", ":", ":x"),
)
VALUES = (
    *("Patient/p", "1961-05", "gt2026-02-30", "9" * 400, "lt1e400", "http://loinc.org|8867-4", "|", "true"),
    *("name eq 1", "not (birthdate gt 2020", "Patient:link", "-birthdate,birthdate", "5||mg", "\\,", "-1"),
    *("NaN", "0", "x," * 3000),
)


@st.composite
def queries(draw: st.DrawFn) -> bytes:
    """A query string of names that there are, and of anything."""
    texts = st.one_of(
        st.sampled_from(VALUES),
        st.sampled_from(ODD),
        st.binary(max_size=12).map(visible),
        st.text(max_size=5),
    )
    value = st.lists(texts, max_size=4).map("".join)
    name = st.tuples(st.sampled_from([*NAMES, *CONTROLS]), st.sampled_from(MODIFIERS)).map("".join)
    pair = st.tuples(st.one_of(name, value), value).map("=".join)
    return "&".join(draw(st.lists(pair, max_size=4))).encode("utf-8", "surrogatepass")


def visible(text: bytes) -> str:
    """Bytes as percent-encoding tells them."""
    return "".join(f"%{byte:02x}" for byte in text)


def sendable(target: bytes) -> bytes:
    """A target without what would end the line: space and controls."""
    return bytes(byte for byte in target if byte > 32 and byte != 127)


@pytest.mark.slow
@pytest.mark.parametrize("path", READS)
def test_any_query_is_no_fault_of_the_gateway(gateway: Gateway, restock: Restock, path: str) -> None:
    restock()

    @fuzzed(80)
    @given(query=queries())
    def send(query: bytes) -> None:
        ask(gateway, "GET", sendable(path.encode() + b"?" + query), [], b"")

    send()


@pytest.mark.slow
def test_any_path_is_no_fault_of_the_gateway(gateway: Gateway, restock: Restock) -> None:
    restock()
    words = [*("fhir", "Patient", "p", "_history", "_search", "api", "procedures", "v1", "rc", "$meta", "..")]
    part = st.one_of(st.sampled_from([*words, *ODD]), st.text(max_size=4), st.binary(max_size=4).map(visible))

    @fuzzed(300)
    @given(
        method=st.sampled_from(["GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "BREW"]),
        door=st.sampled_from(["/fhir/", "/api/"]),
        parts=st.lists(part, min_size=1, max_size=5),
    )
    def send(method: str, door: str, parts: list[str]) -> None:
        target = (door + "/".join(parts)).encode("utf-8", "surrogatepass")
        ask(gateway, method, sendable(target), [], b"")

    send()


@pytest.mark.slow
def test_any_header_is_no_fault_of_the_gateway(gateway: Gateway, restock: Restock) -> None:
    restock()
    text = st.one_of(
        st.binary(max_size=20), st.sampled_from([b'W/"1"', b"*", b'"', b"identifier=", b"q=", b"9" * 400])
    )
    value = st.lists(text, max_size=3).map(b", ".join).map(lambda found: found.translate(None, b"\r\n\0"))
    calls = st.sampled_from([*(f"GET {path}" for path in READS), *WRITES, "DELETE /fhir/Patient/nobody"])

    @fuzzed(500)
    @given(call=calls, headers=st.lists(st.tuples(st.sampled_from(HEADERS), value), min_size=1, max_size=3))
    def send(call: str, headers: list[tuple[str, bytes]]) -> None:
        method, _, target = call.partition(" ")
        ask(gateway, method, target.encode(), headers, b"{}" if call in WRITES else b"")

    send()


@pytest.mark.slow
@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize("size", [3_000, 30_000, 60_000, 1_000_000])
def test_a_very_long_url_is_no_fault_of_the_gateway(
    gateway: Gateway, fhir: Fhir, path: str, size: int
) -> None:
    for query in (b"a=" + b"x" * size, b"name=" + b"x," * (size // 2), b"name=x&" * (size // 7)):
        ask(gateway, "GET", path.encode() + b"?" + query, [], b"")


@pytest.mark.slow
@pytest.mark.parametrize(
    "query", ["name=x&" * 101, "name=" + "x," * 2001, "name=" + "x," * 1001 + "&given=" + "x," * 1001]
)
def test_a_search_that_is_too_large_to_plan_is_refused(fhir: Fhir, query: str) -> None:
    outcome(fhir.get(f"Patient?{query}"), 400, "invalid")


@pytest.mark.slow
@pytest.mark.parametrize("host", [b"h:99999", b"h::", b"::1]:1", b"h h", b"[zz]", b"h@h"])
@pytest.mark.parametrize("path", [b"/fhir/Patient", b"/api/procedures", b"/docs"])
def test_a_host_that_is_none_is_refused(gateway: Gateway, path: bytes, host: bytes) -> None:
    assert ask(gateway, "GET", path, [("Host", host)], b"") == 400


@pytest.mark.parametrize(
    "value",
    [b'"\xff"', b'"\xed\xa0\x80"', b'"\\u0000"', b"1e" + b"9" * 30, b'{"a":' * 3000 + b"1" + b"}" * 3000],
)
@pytest.mark.parametrize("path", ["PATCH /api/procedures/x", "POST /api/v1/rc/hipscope"])
def test_json_that_nothing_can_hold_is_refused_at_the_native_door_too(
    gateway: Gateway, restock: Restock, path: str, value: bytes
) -> None:
    restock()
    method, _, target = path.partition(" ")
    json = [("Content-Type", b"application/json")]
    assert ask(gateway, method, target.encode(), json, b'{"notes":' + value + b"}") == 400


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/procedures?patient_mrn=%00", 400),
        ("/api/procedures/%00", 404),
        ("/api/v1/rc/hipscope/a%00b", 404),
        ("/api/v1/rc/%00/a", 404),
    ],
)
def test_a_nul_names_nothing_at_the_native_door(gateway: Gateway, path: str, status: int) -> None:
    assert ask(gateway, "GET", path.encode(), [], b"") == status
