"""Each cell of the page of interactions is tried with each type: https://hl7.org/fhir/R4/http.html."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from gateway.cli import suture
from gateway.fhir.interactions_page import table
from mappings.operations import OPERATIONS
from mappings.resources import REGISTRY
from tests.fixtures.least import least
from tests.fixtures.server import Fhir

PAGE = Path(__file__).parents[3] / "docs" / "interactions.md"
FORM = "application/x-www-form-urlencoded"
MERGE = "application/merge-patch+json"
TAG = {"system": "urn:x", "code": "chosen"}
BY_TAG = "_tag=urn:x|chosen"


def page() -> dict[str, dict[str, str]]:
    """The cells of the page by type and column."""
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    titles, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0].strip("*"): dict(zip(titles[1:], row[1:], strict=True)) for row in rows}


CELLS = page()


def ids(answer: httpx.Response) -> list[str]:
    """The ids in a bundle; its request must have been answered."""
    assert answer.status_code == 200, answer.text
    return [entry["resource"]["id"] for entry in answer.json().get("entry", [])]


def tagged(name: str, **more: Any) -> dict[str, Any]:
    return least(name) | {"meta": {"tag": [TAG]}} | more


def update(fhir: Fhir, name: str) -> None:
    answer = fhir.put(f"{name}/x", tagged(name, id="x"))
    assert answer.status_code == 201, answer.text
    assert answer.headers["etag"] == 'W/"1"'
    again = fhir.put(f"{name}/x", tagged(name, id="x", language="de"), if_match='W/"1"')
    assert (again.status_code, again.headers["etag"]) == (200, 'W/"2"'), again.text


def read(fhir: Fhir, name: str) -> None:
    # Without Accept a Binary is read as its content.
    answer = fhir.get(f"{name}/x", accept="application/fhir+json")
    assert (answer.status_code, answer.json()["language"]) == (200, "de")


def vread(fhir: Fhir, name: str) -> None:
    assert fhir.get(f"{name}/x/_history/1", accept="application/fhir+json").json()["language"] == "en"


def patch(fhir: Fhir, name: str) -> None:
    answer = fhir.ask("PATCH", f"{name}/x", b'{"language":"nb"}', content_type=MERGE)
    assert (answer.status_code, answer.json()["language"]) == (200, "nb"), answer.text


def history_instance(fhir: Fhir, name: str) -> None:
    assert ids(fhir.get(f"{name}/x/_history")) == ["x", "x", "x"]


def history_type(fhir: Fhir, name: str) -> None:
    assert ids(fhir.get(f"{name}/_history")) == ["x", "x", "x"]


def search_type(fhir: Fhir, name: str) -> None:
    assert (
        ids(fhir.get(f"{name}?_id=x")) == ids(fhir.post(f"{name}/_search", b"", content_type=FORM)) == ["x"]
    )


def delete(fhir: Fhir, name: str) -> None:
    assert fhir.delete(f"{name}/x").status_code == 204
    assert fhir.get(f"{name}/x").status_code == 410


def create(fhir: Fhir, name: str) -> None:
    answer = fhir.post(name, least(name))
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"].startswith(f"{fhir.base}/{name}/{answer.json()['id']}/")


def conditional_create(fhir: Fhir, name: str) -> None:
    answers = [fhir.post(name, tagged(name), if_none_exist=BY_TAG) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 200], answers[0].text
    assert len(ids(fhir.get(f"{name}?{BY_TAG}"))) == 1


def conditional_read(fhir: Fhir, name: str) -> None:
    (chosen,) = ids(fhir.get(f"{name}?{BY_TAG}"))
    assert fhir.get(f"{name}/{chosen}", if_none_match='W/"1"').status_code == 304
    assert fhir.get(f"{name}/{chosen}", if_none_match='W/"9"').status_code == 200


def conditional_update(fhir: Fhir, name: str) -> None:
    answer = fhir.put(f"{name}?{BY_TAG}", tagged(name, language="fr"))
    assert (answer.status_code, answer.json()["language"]) == (200, "fr"), answer.text
    assert len(ids(fhir.get(f"{name}?{BY_TAG}"))) == 1


def conditional_delete(fhir: Fhir, name: str) -> None:
    assert fhir.post(name, tagged(name)).status_code == 201
    assert fhir.delete(f"{name}?{BY_TAG}").status_code == 204
    assert ids(fhir.get(f"{name}?{BY_TAG}")) == []


DONE: dict[str, tuple[str, Callable[[Fhir, str], None]]] = {
    "update": ("yes", update),
    "read": ("yes", read),
    "vread": ("yes", vread),
    "patch": ("yes", patch),
    "history-instance": ("yes", history_instance),
    "history-type": ("yes", history_type),
    "search-type": ("yes", search_type),
    "delete": ("yes", delete),
    "create": ("yes", create),
    "conditional create": ("yes", conditional_create),
    "conditional read": ("yes", conditional_read),
    "conditional update": ("yes", conditional_update),
    "conditional delete": ("one or many", conditional_delete),
}
"""Column -> what it says, and what is done to see that it is so; in this order, each after the other."""


def called(fhir: Fhir, name: str, operation: str) -> httpx.Response:
    """Call an operation on a type, or on its resource `x`."""
    meta = {"name": "meta", "valueMeta": {"tag": [{"system": "urn:x", "code": "more"}]}}
    parameters = {"resourceType": "Parameters", "parameter": [meta]}
    match operation:
        case "validate":
            return fhir.post(f"{name}/$validate", least(name))
        case "meta-add" | "meta-delete":
            return fhir.post(f"{name}/x/${operation}", parameters)
        case "lastn":
            return fhir.get(f"{name}/$lastn")
        case _:
            return fhir.get(f"{name}/x/${operation}")


def test_the_page_in_the_repository_tells_what_there_is() -> None:
    assert PAGE.read_text(encoding="utf-8") == table(), "run: suture docs --interactions docs/interactions.md"
    assert CELLS.keys() == REGISTRY.keys()


def test_what_the_page_tells_of_all_types_at_once_holds(fhir: Fhir) -> None:
    line = next(line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("With all"))
    made = fhir.made("Patient", active=True)["id"]
    entry = {"resource": least("Basic"), "request": {"method": "POST", "url": "Basic"}}
    bundle = {"resourceType": "Bundle", "entry": [entry]}
    done = {
        "transaction": lambda: fhir.ask("POST", "", bundle | {"type": "transaction"}).json()["type"],
        "batch": lambda: fhir.ask("POST", "", bundle | {"type": "batch"}).json()["type"],
        "history-system": lambda: len(ids(fhir.get("_history"))),
        "search-system": lambda: ids(fhir.get(f"?_type=Patient,Basic&_id={made}")),
        "$meta": lambda: fhir.get("$meta").json()["resourceType"],
        "capabilities": lambda: fhir.get("metadata").json()["resourceType"],
    }
    told = [part for part in line.split("`")[1::2] if not part.startswith("/")]
    assert {name: done[name]() for name in told} == {
        "transaction": "transaction-response",
        "batch": "batch-response",
        "history-system": 3,
        "search-system": [made],
        "$meta": "Parameters",
        "capabilities": "CapabilityStatement",
    }


def test_the_command_writes_the_page_and_notices_when_it_is_stale(tmp_path: Path) -> None:
    written = tmp_path / "interactions.md"
    command = ("docs", "--interactions", str(written))
    assert CliRunner().invoke(suture, command).exit_code == 0
    assert written.read_text(encoding="utf-8") == table()
    assert CliRunner().invoke(suture, (*command, "--check")).exit_code == 0
    written.write_text("old", encoding="utf-8")
    stale = CliRunner().invoke(suture, (*command, "--check"))
    assert stale.exit_code == 1
    assert f"suture docs --interactions {written}" in stale.stderr.replace("\n", "")
    assert CliRunner().invoke(suture, (*command, "--search")).exit_code == 2


@pytest.mark.parametrize("name", sorted(CELLS))
def test_each_cell_of_the_page_holds(fhir: Fhir, name: str) -> None:
    cells = dict(CELLS[name])
    told = {operation.strip("`$") for operation in cells.pop("operations").split()}
    assert cells == {column: says for column, (says, _) in DONE.items()}
    for _, done in DONE.values():
        done(fhir, name)
    assert fhir.put(f"{name}/x", least(name) | {"id": "x"}).status_code == 201
    for operation in (made.name for made in OPERATIONS):
        answer = called(fhir, name, operation)
        assert (answer.status_code == 200) == (operation in told), (operation, answer.text)
