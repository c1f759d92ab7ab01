"""Whatever goes wrong, on whichever route, is told in the words of its door, and never as a stack trace.

https://hl7.org/fhir/R4/http.html#Status-Codes and https://hl7.org/fhir/R4/operationoutcome.html; RFC 9457.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from gateway.app import create_app
from gateway.settings import Settings
from storage.model.research import KINDS
from storage.session import Store
from tests.fixtures.server import MAX_BODY, Fhir, Gateway, free_ports, outcome, renamed

BODIES = ("POST", "PUT", "PATCH")
SECRET = "Geheimnisvoll"
WITHIN = {"resource_type": "Patient", "member": "Observation", "kind": next(iter(KINDS.values())).path}
NAMED = re.compile(r"\{(\w+)(?::\w+)?\}")
OURS = ("Traceback", "psycopg", "sqlalchemy", 'File "', ".py", "SELECT", "42P01")


@dataclass(frozen=True)
class Route:
    """A method of a path of the application."""

    method: str
    path: str

    @property
    def fhir(self) -> bool:
        return self.path.startswith("/fhir")

    @property
    def names(self) -> list[str]:
        return NAMED.findall(self.path)

    @property
    def takes_file(self) -> bool:
        """Whether the body is a form with a file, which is read as it comes."""
        return self.path.endswith("/import/csv")

    @property
    def gives_file(self) -> bool:
        """Whether the answer is a file of a kind of its own."""
        return "/export/" in self.path or "/template/" in self.path

    @property
    def of_job(self) -> bool:
        """Whether it is about a request that is answered later, and about no resource."""
        return "/_async/" in self.path

    @property
    def reads_body(self) -> bool:
        return self.method in BODIES and not self.path.endswith("/_search") and not self.takes_file

    @property
    def takes_resource(self) -> bool:
        """Whether the body is a resource of the type of the path: no Bundle, parameters or patch."""
        whole = self.path.endswith(("{resource_type:str}", "{fhir_id:str}"))
        return self.fhir and self.method in ("POST", "PUT") and whole

    @property
    def asks_operation(self) -> bool:
        """Whether an operation is asked, which says itself what it needs."""
        return "$" in self.path

    @property
    def searches(self) -> bool:
        """Whether what stands in the path is looked for, and need not be there."""
        return "member" in self.names

    @property
    def by_criteria(self) -> bool:
        return self.path == "/fhir/{resource_type:str}" and self.method in ("PUT", "PATCH", "DELETE")

    @property
    def body_type(self) -> str:
        if self.fhir and self.method == "PATCH":
            return "application/merge-patch+json"
        return "application/fhir+json" if self.fhir else "application/json"

    def url(self, **values: str) -> str:
        """Return the path with its parameters; ids are of nothing that is there."""
        path = NAMED.sub(lambda found: (WITHIN | values).get(found[1], "none"), self.path)
        return f"{path}?_id=none" if self.by_criteria else path


BUNDLES = Route("POST", "/fhir")


@pytest.fixture(scope="module")
def routes(database_url: str) -> Iterator[list[Route]]:
    """Each route of the application that hands out or takes in records, as the application has it."""
    http_port, mllp_port = free_ports(2)
    app = create_app(Settings(database_url=database_url, http_port=http_port, mllp_port=mllp_port))
    doors = [
        route
        for route in app.routes
        if route.path.startswith(("/fhir", "/api/")) and "health" not in route.path
    ]
    found = [Route(method, route.path) for route in doors for method in sorted(getattr(route, "methods", ()))]
    # HEAD answers as GET does, without what is looked at here.
    yield [route for route in found if route.method not in ("OPTIONS", "HEAD")]
    app.state.store.close()


Ask = Callable[..., httpx.Response]


@pytest.fixture
def ask(http: httpx.Client) -> Ask:
    """Send a request to a route, with a body that fits as far as anybody can tell."""

    def send(route: Route, body: bytes | None = None, *, url: str = "", **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if route.reads_body:
            named = {"content-type": route.body_type} | named
            body = (
                body
                if body is not None
                else b'{"resourceType":"Patient","id":"none"}'
                if route.fhir
                else b"{}"
            )
        return http.request(route.method, url or route.url(), content=body, headers=named)

    return send


def told(route: Route, answer: httpx.Response, *statuses: int) -> dict[str, Any]:
    """Return what an answer tells; asserts its status, its form, and that nothing of the inside shows."""
    where = f"{route.method} {route.path}: {answer.status_code} {answer.text[:500]}"
    assert answer.status_code in statuses, where
    assert not any(word in answer.text for word in OURS), where
    if route.fhir:
        return outcome(answer, answer.status_code)
    assert answer.headers["content-type"].startswith("application/problem+json"), where
    value = answer.json()
    assert value["status"] == answer.status_code, where
    assert value["type"], where
    assert value["title"], where
    assert value["errors"][0]["code"], where
    return value


def test_the_route_table_is_not_empty(routes: list[Route]) -> None:
    assert {route.fhir for route in routes} == {True, False}
    assert {route.method for route in routes} >= {"GET", "POST", "PUT", "PATCH", "DELETE"}


@pytest.mark.parametrize(
    "body", [b"", b"{", b'{"a":', b"[1]", b'"x"', b"null", b"\xff\xfe", b'{"a":1}{"b":2}']
)
def test_a_body_that_is_no_json_object_is_refused(routes: list[Route], ask: Ask, body: bytes) -> None:
    for route in routes:
        if route.reads_body and not route.asks_operation:
            told(route, ask(route, body), *((400,) if route.fhir else (400, 422)))


def test_an_element_of_the_wrong_type_is_located(routes: list[Route], ask: Ask) -> None:
    wrong = b'{"resourceType":"Patient","id":"none","birthDate":5}'
    for route in routes:
        if route.takes_resource:
            assert told(route, ask(route, wrong), 400, 422)["expression"] == ["Patient.birthDate"]
        elif not route.fhir and route.method == "PATCH" and "kind" not in route.names:
            found = told(route, ask(route, b'{"status":5}'), 400, 422)
            assert found["errors"][0]["expression"] == "status"


def test_an_unknown_id_is_not_found(routes: list[Route], ask: Ask) -> None:
    for route in routes:
        named = {"fhir_id", "case_id", "procedure_id"} & set(route.names) and not route.searches
        if named and route.method in ("GET", "PATCH") and not route.asks_operation:
            told(route, ask(route), 404)


@pytest.mark.parametrize("value", ["a%00b", "%ff", "%ed%a0%80", "%2e%2e", "x" * 3000, "%27%3b--", "%7b%7d"])
def test_a_path_that_names_nothing_sensible_is_no_fault_of_ours(
    routes: list[Route], ask: Ask, value: str
) -> None:
    for route in routes:
        for name in route.names:
            answer = ask(route, url=route.url(**{name: value}))
            allowed = (200,) if route.searches or route.asks_operation else ()
            if (route.method, answer.status_code) != ("DELETE", 204) and answer.status_code not in allowed:
                told(route, answer, 400, 404, 405, 422)


def test_a_stale_version_is_told_as_such(routes: list[Route], ask: Ask, fhir: Fhir) -> None:
    fhir.made("Patient", id="none")
    for route in routes:
        if route.fhir and route.method in ("PUT", "DELETE", "PATCH") and not route.of_job:
            assert told(route, ask(route, if_match='W/"7"'), 412)["code"] == "conflict"


def test_a_body_of_another_kind_is_refused(routes: list[Route], ask: Ask) -> None:
    for route in routes:
        if route.method in BODIES:
            told(route, ask(route, b"a=b", content_type="text/plain"), 415)


def test_an_answer_of_another_kind_is_refused(routes: list[Route], ask: Ask) -> None:
    for route in routes:
        if not route.gives_file:
            told(route, ask(route, accept="text/csv"), 406)


def test_a_body_that_is_too_large_is_refused(routes: list[Route], ask: Ask) -> None:
    large = b'{"resourceType":"Patient","id":"none","name":[{"text":"' + b"x" * MAX_BODY + b'"}]}'
    for route in routes:
        if route.reads_body:
            told(route, ask(route, large), 413)


def test_an_unknown_type_is_not_found(routes: list[Route], ask: Ask) -> None:
    for route in routes:
        if set(route.names) & WITHIN.keys():
            told(route, ask(route, url=route.url(resource_type="Unicorn", kind="unicorn")), 404)


def test_a_method_that_a_path_has_not_is_refused_with_those_that_it_has(
    routes: list[Route], ask: Ask
) -> None:
    methods: dict[str, set[str]] = {}
    for route in routes:
        methods.setdefault(route.path, set()).add(route.method)
    for path, there in methods.items():
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE"} - there:
            route = Route(method, path)
            answer = ask(route)
            told(route, answer, 405)
            assert there <= set(re.split(r",\s*", answer.headers["allow"]))


@pytest.mark.parametrize("path", ["/fhir/Patient/x/y/z", "/api/nothing", "/api/v1/rc"])
def test_a_path_that_is_not_there_is_not_found(http: httpx.Client, path: str) -> None:
    told(Route("GET", path), http.get(path), 404, 405)


def test_a_fault_of_ours_tells_nothing_and_logs_no_patient_data(
    routes: list[Route], ask: Ask, fhir: Fhir, store: Store, gateway: Gateway
) -> None:
    fhir.made("Patient", id="none", name=[{"family": SECRET}])
    body = f'{{"resourceType":"Patient","id":"none","name":[{{"family":"{SECRET}"}}]}}'.encode()
    quoted: list[str] = []
    asked_of = 0
    with gateway.logged() as log:
        with renamed(store, "resource"):
            for route in routes:
                if route.path == "/fhir/metadata" or route.asks_operation or route.of_job or route == BUNDLES:
                    continue
                asked = route.url() + ("&" if route.by_criteria else "?") + f"family={SECRET}"
                searched = route.path == "/fhir/{resource_type:str}" and route.method != "POST"
                asked = asked if searched else route.url()
                native = (
                    b'{"encounter_id":"e"}' if "kind" in route.names else f'{{"notes":"{SECRET}"}}'.encode()
                )
                answer = ask(route, (body if route.fhir else native) if route.reads_body else None, url=asked)
                if not route.fhir and answer.status_code < 500:
                    # Refused before anything was looked for, or looked for elsewhere.
                    assert SECRET not in answer.text
                    continue
                found = told(route, answer, 500)
                asked_of += 1
                assert SECRET not in answer.text
                text = found["diagnostics"] if route.fhir else found["detail"]
                quoted += re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", text)
        written = log()
    assert len(quoted) == asked_of > len(routes) / 3
    assert all(name in written for name in quoted)
    assert SECRET not in written
    assert "UndefinedTable" in written
    assert fhir.get("Patient/none").status_code == 200


def test_a_database_that_is_away_is_told_as_such_and_found_again(
    http: httpx.Client, fhir: Fhir, store: Store
) -> None:
    fhir.made("Patient", id="p")
    with store.connection() as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'suture'"
        )
    # The server ends connections one after the other: one that is lost while it is used is told as such.
    answers = [fhir.get("Patient/p") for _ in range(20)]
    for answer in answers:
        if answer.status_code != 200:
            outcome(answer, 503, "transient")
    assert answers[-1].status_code == 200
    assert http.get("/health/ready").status_code == 200
