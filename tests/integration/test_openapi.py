"""The description of the HTTP surface: it is there, it is valid, it tells every route, its examples work.

https://spec.openapis.org/oas/v3.1.0
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
import schemathesis
from litestar import Litestar
from litestar.routes import HTTPRoute

from gateway.app import create_app
from gateway.fhir.metadata import pointing
from gateway.native.case_forms import PATHS
from gateway.native.routes import NATIVE
from gateway.openapi.call import CALL, Call
from gateway.settings import Settings
from mappings.operations import OPERATIONS
from mappings.resources import REGISTRY
from mappings.search import parameters
from storage.lexical import ENCODER
from tests.fixtures.server import Fhir, free_ports

Object = dict[str, Any]
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
HERE = {"patient_id": "p", "encounter_id": "visit", "procedure_id": "x"}
"""What stands in a path of what is there."""
NEEDED = {"other": {"procedure_name": "Something else"}}
"""Kind of case -> what it cannot be without."""
MRN = "http://suture.example.org/fhir/sid/mrn"
QUERY = {"patient_id": "p", "visit_id": "visit"}
ORDER = {
    "order_type": "LAB",
    "priority": "routine",
    "clinical_indication": "Check anemia, tired for weeks",
    "test_code": "CBC",
}
MAKERS: dict[str, tuple[str, Object]] = {
    "case_id": ("/api/v1/rc/{kind}", {"encounter_id": "visit"}),
    "order_id": ("/api/v1/orders?patient_id=p&visit_id=visit", ORDER),
}
"""Parameter of a path -> where what it names is made, and of what."""


@pytest.fixture
def document(http: httpx.Client) -> Object:
    answer = http.get("/docs/openapi.json")
    assert answer.headers["content-type"].startswith("application/vnd.oai.openapi+json")
    return answer.json()


@pytest.fixture(scope="module")
def app(database_url: str) -> Iterator[Litestar]:
    http_port, mllp_port = free_ports(2)
    made = create_app(Settings(database_url=database_url, http_port=http_port, mllp_port=mllp_port))
    yield made
    made.state.store.close()


def routes(app: Litestar) -> Iterator[tuple[str, str, Any]]:
    """Give path, method and handler of each route that is no page."""
    for route in app.routes:
        if isinstance(route, HTTPRoute) and not route.path.startswith(("/docs", "/pages")):
            for method, (handler, _) in route.route_handler_map.items():
                if method in METHODS:
                    yield route.path_format, method, handler


def described(document: Object) -> set[tuple[str, str]]:
    return {
        (path, method.upper())
        for path, item in document["paths"].items()
        for method in item
        if method.upper() in METHODS
    }


def test_the_description_is_one_of_openapi_3_1(document: Object) -> None:
    assert document["openapi"].startswith("3.1.")
    schemathesis.openapi.from_dict(document).validate()
    named = re.findall(r'"\$ref": ?"#/([^"]+)"', str(document).replace("'", '"'))
    assert named
    for place in named:
        found: Any = document
        for part in place.split("/"):
            found = found[part]


def test_every_route_is_described_and_nothing_else(document: Object, app: Litestar) -> None:
    there = {(path, method) for path, method, _ in routes(app)}
    told = described(document)
    assert there - told == set()
    # A type with parameters of its own stands beside the template that it fills.
    assert {generic(path, method) for path, method in told} == there


def generic(path: str, method: str) -> tuple[str, str]:
    kind = path.split("/")[2] if path.count("/") >= 2 else ""
    return path.replace(f"/{kind}", "/{resource_type}", 1) if kind in REGISTRY else path, method


def test_every_route_of_the_native_door_declares_how_it_is_called(app: Litestar) -> None:
    silent = [
        f"{method} {path}"
        for path, method, handler in routes(app)
        if not path.startswith("/fhir") and CALL not in handler.opt
    ]
    assert silent == []


def test_a_search_of_a_type_with_tables_has_its_parameters(document: Object) -> None:
    for kind, mapping in REGISTRY.items():
        if mapping.content is None:
            listed = document["paths"][f"/fhir/{kind}"]["get"]["parameters"]
            names = {each["name"] for each in listed if "name" in each}
            assert names >= {*parameters(mapping), "_count", "_sort", "_include"}
            brought = next(each for each in listed if each.get("name") == "_revinclude")
            assert set(pointing(kind)) <= set(brought["schema"]["items"]["enum"])


def test_the_types_of_the_templates_and_of_the_paths_are_all_types(document: Object) -> None:
    (kinds,) = document["paths"]["/fhir/{resource_type}"]["get"]["parameters"][:1]
    own = {path.removeprefix("/fhir/") for path in document["paths"]} & set(REGISTRY)
    assert {*kinds["schema"]["enum"], *own} == set(REGISTRY)
    read = document["paths"]["/fhir/{resource_type}/{fhir_id}"]["get"]
    assert read["parameters"][0]["schema"]["enum"] == list(REGISTRY)


def test_an_operation_is_described_for_the_types_that_have_it(document: Object) -> None:
    for offered in OPERATIONS:
        for path, item in document["paths"].items():
            if path.endswith(f"}}/${offered.name}"):
                kinds = item["post"]["parameters"][0]["schema"]["enum"]
                assert kinds == [kind for kind in REGISTRY if offered.definition(kind)]


def test_a_type_that_both_doors_have_is_described_by_each(document: Object) -> None:
    schemas = document["components"]["schemas"]
    assert "surgical_status" in schemas["Procedure"]["properties"]
    assert schemas["fhir.Procedure"]["properties"]["resourceType"] == {"const": "Procedure"}
    assert "preparation" in schemas["fhir.Procedure"]["properties"]["status"]["enum"]


def examples() -> Iterator[Any]:
    """Give method, path, title and body of each example that a route of the native door tells."""
    for route in NATIVE.routes:
        for handler in getattr(route, "route_handlers", ()):
            for title, body in handler.opt.get(CALL, Call()).examples.items():
                for method in sorted(handler.http_methods):
                    where = (str(method), route.path_format, title, body)
                    yield pytest.param(*where, id=f"{method} {route.path_format} {title}")


def test_the_native_door_has_examples() -> None:
    assert len(list(examples())) >= 4


@pytest.mark.parametrize(("method", "path", "title", "body"), list(examples()))
def test_an_example_of_the_native_door_works(
    http: httpx.Client, fhir: Fhir, method: str, path: str, title: str, body: Any
) -> None:
    # What an example makes must not be there yet; what it names must.
    named: Object = {}
    if "mrn" in body and "patients" not in path:
        named = {"identifier": [{"system": MRN, "value": body["mrn"]}]}
        named["name"] = [{"text": body.get("patient_name", "Doe")}]
    fhir.made("Patient", id="p", **named)
    subject = {"reference": "Patient/p"}
    ambulatory = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"}
    visit = {"status": "planned", "period": {"start": "2026-03-02"}, "class": ambulatory}
    fhir.made("Encounter", id="visit", subject=subject, **visit)
    fhir.made("Procedure", id="x", status="preparation", code={"text": "Hip"}, subject=subject)
    # An example of a research case or of a member of one is titled by its kind.
    kind = title if title in PATHS else "hipscope"
    here = HERE | {"kind": kind, "members": title}
    for name, (url, values) in MAKERS.items():
        if f"{{{name}}}" in path:
            sent = {**values, **NEEDED.get(kind, {})} if name == "case_id" else values
            here[name] = http.post(url.format(kind=kind), json=sent).json()["id"]
    if path.endswith("/report"):
        for status in ("in_progress", "completed"):
            http.patch(f"/api/v1/orders/{here['order_id']}/status", json={"status": status})
    query = QUERY if path == "/api/v1/orders" else {}
    url, json = path.format(**here), {"content-type": "application/json"}
    answer = http.request(method, url, content=ENCODER.encode(body), params=query, headers=json)
    assert answer.status_code in (200, 201), answer.text


class Loaded(HTMLParser):
    """What a page loads, and whether anything in it would run or be styled in place."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.in_place: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag == "link" or (tag == "script" and "src" in told):
            self.addresses.append(told.get("src") or told.get("href") or "")
        elif tag in ("script", "style") or any(name == "style" or name.startswith("on") for name in told):
            self.in_place.append(tag)


def test_the_page_loads_nothing_but_what_the_gateway_gives(http: httpx.Client) -> None:
    page = http.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    policy = dict(part.strip().split(" ", 1) for part in page.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    seen = Loaded()
    seen.feed(page.text)
    assert seen.in_place == []
    assert len(seen.addresses) == 4
    for address in seen.addresses:
        assert address.startswith("/docs/assets/")
        answer = http.get(address)
        assert answer.status_code == 200
        assert answer.content
    assert '"/docs/openapi.json"' in http.get("/docs/assets/start.js").text


@pytest.mark.parametrize("name", ["../page.py", "%2e%2e/page.py", "..%2fpage.py", "none"])
def test_what_is_no_part_of_the_page_is_not_given(http: httpx.Client, name: str) -> None:
    assert http.get(f"/docs/assets/{name}").status_code == 404
