"""A research column is one line and one migration, a kind of case one declaration and one migration.

Both are added to a copy of the source, which then serves them in lists, exports, FHIR and HL7v2 without any
other change.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from gateway.mllp.framing import wrap
from storage import migrate
from storage.model.observation import DETAILS
from tests.fixtures.registry import Registry, visit_of
from tests.fixtures.server import Fhir, Gateway
from tests.wire.peer import ExpectFrame, HalfClose, Send, call

ROOMS = ("gateway", "mappings", "storage", "migrations")
HIP = "storage/model/research/hip.py"
KINDS = "storage/model/research/__init__.py"
COLUMN = """column("cup_size", q("mm", 36, 80)),
    column("rim_angle_deg", q("deg", 0, 90)),
    column("rim_shape", enum("round", "oval")),
    """
DECLARATION = '''"""Research cases of the ankle."""

from __future__ import annotations

from storage.model.research.common import case
from storage.model.research.registry import column, enum, members, q, text

ARTHROPLASTY = case(
    "anklearthroplasty",
    "ankle-arthroplasty",
    "70258002",
    column("bearing", enum("fixed", "mobile")),
    column("talus_size_mm", q("mm", 20, 60)),
    column("releases", members("achilles", "deltoid")),
    column("implant_model", text),
)
'''
MIGRATION = '''"""Rims of cups, and ankles."""

from __future__ import annotations

from migrations.words import code, drop, extend, members, number, recode, research_case, table, text
from alembic import op

revision = "9001"
down_revision = "{newest}"
branch_labels = None
depends_on = None
DETAILS = "{details}"


def upgrade() -> None:
    extend(
        "rc_hiparthroplasty",
        number("rim_angle_deg", low=0, high=90),
        code("rim_shape", "round oval"),
    )
    recode("observation", "detail", DETAILS + " rc_anklearthroplasty")
    table(
        "rc_anklearthroplasty",
        research_case("left right"),
        code("bearing", "fixed mobile"),
        number("talus_size_mm", low=20, high=60),
        members("releases", "achilles deltoid"),
        text("implant_model"),
    )


def downgrade() -> None:
    drop("rc_anklearthroplasty")
    recode("observation", "detail", DETAILS)
    for name in ("rim_angle_deg", "rim_shape"):
        op.drop_column("rc_hiparthroplasty", name)
'''
MESSAGE = """\
MSH|^~\\&|REG|WEST|SUTURE|OR|20260210||ORU^R01|{id}|P|2.5.1
PID|1||1234^^^WEST^MR||Doe^Jane
PV1|1|I|||||||||||||||||V9^^^WEST
OBR|1||{id}^REG|{case}^^99SGRC|||20260210||||||||||||||||||F
OBX|1|CE|side^^99SGRC||left||||||F
OBX|2|NM|{number}^^99SGRC||40||||||F
OBX|3|CE|{code}^^99SGRC||{value}||||||F
""".replace("\n", "\r")


def changed(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


@pytest.fixture(scope="module")
def grown(
    tmp_path_factory: pytest.TempPathFactory, module_database: Callable[[bool], str]
) -> Iterator[Gateway]:
    """A gateway of a copy of the source that has a column, a code and a kind of case more."""
    folder = tmp_path_factory.mktemp("grown")
    here = Path(__file__).parents[3]
    for room in ROOMS:
        shutil.copytree(here / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    changed(folder / HIP, 'column("cup_size", q("mm", 36, 80)),\n    ', COLUMN)
    (folder / "storage/model/research/ankle.py").write_text(DECLARATION)
    changed(folder / KINDS, "import hip,", "import ankle, hip,")
    changed(folder / KINDS, "        other.OTHER,\n", "        other.OTHER,\n        ankle.ARTHROPLASTY,\n")
    revision = MIGRATION.format(newest=migrate.head(), details=" ".join(DETAILS))
    (folder / "migrations/versions/9001_grown.py").write_text(revision)
    # Nothing of the source itself, whatever the folder in which the tests run.
    alone = {"PYTHONPATH": str(folder), "PYTHONSAFEPATH": "1"}
    running = Gateway(module_database(False), folder / "log", **alone)
    try:
        running.wait()
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="module")
def registry(grown: Gateway) -> Iterator[Registry]:
    with httpx.Client(base_url=grown.url, timeout=60, trust_env=False) as client:
        yield Registry(client, visit_of(Fhir(client)))


def components(fhir: Fhir, key: str) -> dict[str, Any]:
    found = fhir.get(f"Observation/{key}").json()["component"]
    return {part["code"]["coding"][0]["code"]: part for part in found}


KNOWN: tuple[tuple[str, str, dict[str, Any], str, str], ...] = (
    ("hiparthroplasty", "hip-arthroplasty", {"rim_angle_deg": 40, "rim_shape": "oval"}, "oval", "round"),
    (
        "anklearthroplasty",
        "ankle-arthroplasty",
        {"talus_size_mm": 40, "bearing": "mobile"},
        "mobile",
        "fixed",
    ),
)


@pytest.mark.parametrize(("path", "case", "values", "word", "other"), KNOWN)
def test_what_was_added_is_kept_listed_exported_and_seen_over_fhir_and_hl7v2(
    grown: Gateway, registry: Registry, path: str, case: str, values: dict[str, Any], word: str, other: str
) -> None:
    fhir = Fhir(registry.http)
    number, code = values
    made = registry.case(path, **values, side="left")
    assert {name: made[name] for name in values} == values
    found = components(fhir, made["id"])
    assert found[number]["valueQuantity"]["value"] == 40
    assert found[code]["valueCodeableConcept"]["coding"][0]["code"] == word
    sent = fhir.get(f"Observation/{made['id']}").json()
    del sent["id"], sent["meta"]
    came = fhir.post("Observation", sent).json()["id"]
    assert registry.get(f"{path}/{came}").json()[code] == word
    message = MESSAGE.format(id=f"R{case}", case=case, number=number, code=code, value=word)
    steps = [Send(wrap(message.encode())), ExpectFrame(), HalfClose()]
    assert b"MSA|AA" in call(grown.mllp_port, steps).payloads[0]
    listed = registry.listed(path, f"{number}_min=39.5&{code}={word}&sort_by={code}")["items"]
    assert len(listed) == 3
    assert {made["id"], came} < {item["id"] for item in listed}
    assert registry.listed(path, f"{code}={other}")["total"] == 0
    rows = list(csv.DictReader(io.StringIO(registry.get(f"{path}/export/csv?{code}={word}").text)))
    assert [(row[number], row[code]) for row in rows] == [("40", word)] * 3
    lines = registry.get(f"{path}/export/ndjson").content.splitlines()
    assert {json.loads(line)["id"] for line in lines} == {item["id"] for item in listed}


@pytest.mark.parametrize(
    ("path", "values", "name"),
    [
        ("hiparthroplasty", {"rim_angle_deg": 91}, "rim_angle_deg"),
        ("hiparthroplasty", {"rim_shape": "square"}, "rim_shape"),
        ("anklearthroplasty", {"talus_size_mm": 61}, "talus_size_mm"),
    ],
)
def test_what_was_added_has_its_limits(
    registry: Registry, path: str, values: dict[str, Any], name: str
) -> None:
    answer = registry.post(path, {"encounter_id": registry.encounter, **values})
    assert (answer.status_code, answer.json()["errors"][0]["expression"]) == (422, name)


def test_members_of_an_added_kind_stand_beside_it(registry: Registry) -> None:
    ankle = f"anklearthroplasty/{registry.case('anklearthroplasty', side='right')['id']}"
    registry.made(f"{ankle}/outcomes", instrument="VAS_PAIN", timepoint="preop", score=7)
    rows = csv.DictReader(io.StringIO(registry.get("anklearthroplasty/export/csv?side=right").text))
    assert [row["vas_pain_preop"] for row in rows] == ["7"]


def test_what_was_added_is_described(registry: Registry) -> None:
    described = registry.http.get("/docs/openapi.json").json()
    schemas = described["components"]["schemas"]
    assert "rim_angle_deg_max" in schemas["RcHiparthroplastyFilters"]["properties"]
    assert schemas["RcAnklearthroplastyNew"]["properties"]["bearing"]
    (kind,) = described["paths"]["/api/v1/rc/{kind}/export/csv"]["get"]["parameters"][:1]
    assert "anklearthroplasty" in kind["schema"]["enum"]
