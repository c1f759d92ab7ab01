"""FHIR XML is read as JSON is, and what has no place in it is refused by line: https://hl7.org/fhir/R4/xml.html."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateway.errors import NotParseable
from gateway.fhir import wire, xml
from tests.fixtures.resources import text
from tests.unit.fhir.samples import VALID, valid

HEAD = '<Patient xmlns="http://hl7.org/fhir">'


def patient(inner: str) -> bytes:
    return f"{HEAD}{inner}</Patient>".encode()


def refusal(body: bytes) -> NotParseable:
    with pytest.raises(NotParseable) as caught:
        xml.read(body)
    assert caught.value.status == 400
    return caught.value


@pytest.mark.parametrize("name", sorted(VALID))
def test_a_resource_is_read_back_as_it_was(name: str) -> None:
    value = valid(name)
    assert text(xml.read(xml.write(value))) == text(value)


def test_official_examples_of_all_types_are_read_back_equal(corpus: Path) -> None:
    seen = 0
    for path in sorted((corpus / "fhir-r4" / "examples").glob("*.json")):
        value = wire.decode(path.read_bytes())
        assert text(xml.read(xml.write(value))) == text(value), path.name
        seen += 1
    assert seen >= 200


def test_elements_are_written_in_the_order_of_the_standard() -> None:
    value = {
        "gender": "male",
        "name": [{"given": ["A"], "family": "B"}],
        "id": "1",
        "resourceType": "Patient",
    }
    assert xml.write(value) == (
        b'<?xml version="1.0" encoding="UTF-8"?><Patient xmlns="http://hl7.org/fhir"><id value="1"/>'
        b'<name><family value="B"/><given value="A"/></name><gender value="male"/></Patient>'
    )


def test_a_pretty_document_has_a_line_for_each_element() -> None:
    value = {"resourceType": "Patient", "name": [{"family": "B"}]}
    assert xml.write(value, pretty=True).decode().splitlines() == [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<Patient xmlns="http://hl7.org/fhir">',
        "  <name>",
        '    <family value="B"/>',
        "  </name>",
        "</Patient>",
    ]


def test_ids_and_extensions_of_primitives_stand_in_their_element() -> None:
    body = patient(
        '<name><given id="a" value="Ada"/>'
        '<given><extension url="u:x"><valueCode value="n"/></extension></given>'
        '</name><birthDate id="b" value="1974"/>'
    )
    assert xml.read(body) == {
        "resourceType": "Patient",
        "name": [
            {
                "given": ["Ada", None],
                "_given": [{"id": "a"}, {"extension": [{"url": "u:x", "valueCode": "n"}]}],
            }
        ],
        "birthDate": "1974",
        "_birthDate": {"id": "b"},
    }


def test_an_array_of_extensions_alone_needs_no_values() -> None:
    body = patient('<name><given><extension url="u:x"><valueCode value="n"/></extension></given></name>')
    assert xml.read(body)["name"] == [{"_given": [{"extension": [{"url": "u:x", "valueCode": "n"}]}]}]


@pytest.mark.parametrize(
    "spelt", ["1.50", "1e2", "1.0E+2", "0.0000001", "-0.0", "7", "123456789012345678901"]
)
def test_decimals_keep_their_spelling(spelt: str) -> None:
    body = f'<Quantity><value value="{spelt}"/></Quantity>'.replace("Quantity", "valueQuantity")
    head = '<Observation xmlns="http://hl7.org/fhir">'
    read = xml.read(f"{head}{body}</Observation>".encode())
    assert (
        wire.encode(read) == b'{"resourceType":"Observation","valueQuantity":{"value":%s}}' % spelt.encode()
    )
    assert f'<value value="{spelt}"/>'.encode() in xml.write(read)


@pytest.mark.parametrize(
    ("value", "type_name", "expected"),
    [
        ("true", "boolean", True),
        ("TRUE", "boolean", "TRUE"),
        ("12", "integer", 12),
        ("-3", "integer", -3),
        ("012", "positiveInt", "012"),
        ("1.0", "unsignedInt", "1.0"),
        ("12", "string", "12"),
        ("1.50", "decimal", Decimal("1.50")),
        ("NaN", "decimal", "NaN"),
        (".5", "decimal", ".5"),
        ("1e99999999999999999999", "decimal", "1e99999999999999999999"),
        ("9" * 5000, "decimal", "9" * 5000),
    ],
)
def test_what_is_not_of_its_type_stays_text_for_validation(value: str, type_name: str, expected: Any) -> None:
    made = xml.primitive(value, type_name)
    assert made == expected
    assert type(made) is type(expected)


@pytest.mark.parametrize(
    "div",
    [
        "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p class='x'>a &#160; &amp; b<br /><br/></p></div>",
        '<div xmlns="http://www.w3.org/1999/xhtml">\r\n two  spaces <!-- kept --> <div>inner</div>\t</div>',
        '<div xmlns="http://www.w3.org/1999/xhtml"><a title="1 > 0" href="#x">ünï</a></div>',
        '<div xmlns="http://www.w3.org/1999/xhtml" title="a > b"><img src="#i" alt=">"/></div>',
    ],
)
def test_narrative_comes_back_letter_for_letter(div: str) -> None:
    value = {
        "resourceType": "Patient",
        "text": {"status": "generated", "div": div},
        "contained": [{"resourceType": "Patient", "id": "c", "text": {"status": "generated", "div": div}}],
    }
    assert xml.read(xml.write(value)) == value


def test_narrative_with_a_prefix_can_stand_alone() -> None:
    body = (
        '<Patient xmlns="http://hl7.org/fhir" xmlns:h="http://www.w3.org/1999/xhtml"><text>'
        '<status value="generated"/><h:div><h:p>x</h:p></h:div></text></Patient>'
    )
    div = xml.read(body.encode())["text"]["div"]
    assert "fhir" not in div
    assert xml.write({"resourceType": "Patient", "text": {"status": "generated", "div": div}})
    assert xml.read(patient(f"<text><status value='generated'/>{div}</text>"))["text"]["div"] == div


@pytest.mark.parametrize(
    ("root", "div"),
    [
        (' xmlns:h="{X}"', "<h:div><h:p>a</h:p></h:div>"),
        ("", '<h:div xmlns:h="{X}"><h:p>a</h:p></h:div>'),
        ("", '<h:div xmlns:h="{X}"><p xmlns="{X}">a</p></h:div>'),
        ("", '<div xmlns="{X}" xmlns:h="{X}"><h:p>a</h:p></div>'),
    ],
)
def test_narrative_is_told_without_prefixes(root: str, div: str) -> None:
    xhtml = "http://www.w3.org/1999/xhtml"
    text = f'<text><status value="generated"/>{div}</text>'
    body = f'<Patient xmlns="http://hl7.org/fhir"{root}>{text}</Patient>'.replace("{X}", xhtml)
    value = xml.read(body.encode())
    assert value["text"]["div"] == f'<div xmlns="{xhtml}"><p>a</p></div>'
    assert xml.read(xml.write(value)) == value


def test_comments_and_attributes_stay_where_a_prefix_goes() -> None:
    inner = '<h:p class="a" xml:lang="en">a &lt; <!-- c --><h:b>b</h:b> t</h:p> end'
    div = f'<h:div xmlns:h="http://www.w3.org/1999/xhtml">{inner}</h:div>'
    found = xml.read(patient(f"<text><status value='generated'/>{div}</text>"))["text"]["div"]
    assert found == f'<div xmlns="http://www.w3.org/1999/xhtml">{inner.replace("h:", "")}</div>'


def test_text_that_is_no_narrative_is_shown_as_text() -> None:
    value = {"resourceType": "Patient", "text": {"status": "generated", "div": "<div>a & b"}}
    assert b"<p>&lt;div&gt;a &amp; b</p>" in xml.write(value)


@pytest.mark.parametrize("letter", ["\n", "\r", "\t", '"', "'", "&", "<", ">", "]]>", "\u2028", "𝔖"])
def test_each_character_comes_back(letter: str) -> None:
    value = {"resourceType": "Patient", "language": f"a{letter}b"}
    assert xml.read(xml.write(value)) == value


@pytest.mark.parametrize("letter", ["\x01", "\ufffe", "\uffff"])
def test_what_xml_cannot_hold_is_replaced(letter: str) -> None:
    value = {"resourceType": "Patient", "language": f"a{letter}b"}
    assert xml.read(xml.write(value))["language"] == "a\ufffdb"


def test_comments_instructions_and_schema_locations_mean_nothing() -> None:
    body = (
        "<?xml version='1.0' encoding='utf-8'?><!-- a --><?x y?>\n<f:Patient xmlns:f='http://hl7.org/fhir'"
        " xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:schemaLocation='a b'>"
        "<!-- b --><f:active value='true'/></f:Patient>"
    )
    assert xml.read(b"\xef\xbb\xbf" + body.encode()) == {"resourceType": "Patient", "active": True}


@pytest.mark.parametrize(
    ("inner", "words", "place"),
    [
        ('\n<brthDate value="1"/>', "Line 2, element brthDate: Patient has no such", "Patient.brthDate"),
        ("<brthDate/>", "no such element; did you mean birthDate?", "Patient.brthDate"),
        ('<gender value="male"/><active value="true"/>', "after an element", "Patient.active"),
        ('<gender value="male"/><gender value="male"/>', "once", "Patient.gender"),
        ("<gender/>", "neither a value nor extensions", "Patient.gender"),
        ("<name/>", "empty", "Patient.name[0]"),
        ("<name><family value='x'/>y</name>", "no text", "Patient.name[0]"),
        ("text", "no text", "Patient"),
        ('<gender value="male" code="x"/>', "no attribute code", "Patient.gender"),
        ('<name value="x"><family value="x"/></name>', "no attribute value", "Patient.name[0]"),
        ("<resourceType value='Patient'/>", "no such element", "Patient.resourceType"),
        ("<_gender/>", "no such element", "Patient._gender"),
        ("<name><id value='x'/></name>", "no such element", "Patient.name[0].id"),
        ("<contained/>", "one resource", "Patient.contained[0]"),
        ("<contained><Patient/><Patient/></contained>", "one resource", "Patient.contained[0]"),
        ("<contained><Unicorn/></contained>", "resource type", "Patient.contained[0]"),
        ("<gender xmlns='urn:x' value='male'/>", "namespace must be http://hl7.org/fhir", "Patient.gender"),
        ("<text><status value='empty'/><div>x</div></text>", "1999/xhtml", "Patient.text.div"),
    ],
)  # fmt: skip
def test_what_has_no_place_is_refused_by_line_and_element(inner: str, words: str, place: str) -> None:
    issue = refusal(patient(inner)).issues[0]
    assert words in issue.diagnostics
    assert issue.diagnostics.startswith("Line ")
    assert (issue.expression, issue.code) == (place, "structure")


def test_all_faults_are_told_at_once() -> None:
    found = refusal(patient("<a/>\n<b/>\n<name/>")).issues
    assert [issue.diagnostics.partition(":")[0] for issue in found] == [
        "Line 1, element a",
        "Line 2, element b",
        "Line 3, element name",
    ]
    assert len(refusal(patient("<a/>" * 100)).issues) == 20


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "empty"),
        (b" \n", "empty"),
        (b"{}", "malformed at line 1"),
        (HEAD.encode(), "malformed at line 1"),
        (b"<Patient/>", "namespace http://hl7.org/fhir"),
        (b"<Patient xmlns='urn:x'/>", "namespace http://hl7.org/fhir"),
        (b"<Unicorn xmlns='http://hl7.org/fhir'/>", "resource type"),
        (b"<Period xmlns='http://hl7.org/fhir'/>", "resource type"),
        (patient("<gender value='&b;'/>"), "malformed at line 1"),
        (patient("<gender value='\xff'/>").replace(b"\xc3", b""), "malformed"),
        ((BOMB + "<Patient/>").encode(), "document type"),
        (("<!-- x --> <?y z?>\n" + BOMB).encode(), "document type"),
        (b'<?xml version="1.0"?><!DOCTYPE Patient SYSTEM "file:///etc/passwd"><Patient/>', "document type"),
        (b'<?xml version="1.0" encoding="iso-8859-1"?><Patient/>', "UTF-8"),
        (patient("").decode().encode("utf-16"), "malformed"),
        (patient("<extension>" * 100 + "</extension>" * 100), "deeper than 64"),
        (b"<a>" * 100_000, "malformed"),
        (patient(f"<language value='{'x' * 10_000_001}'/>"), "malformed"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason(body: bytes, words: str) -> None:
    told = refusal(body).issues[-1].diagnostics
    assert words in told
    assert len(told) < 300


def test_a_document_that_only_speaks_of_document_types_is_read() -> None:
    assert (
        xml.read(patient("<!-- <!DOCTYPE x> --><language value='&lt;!DOCTYPE x>'/>"))["language"]
        == "<!DOCTYPE x>"
    )


def test_a_property_that_is_not_known_is_not_left_out_in_silence() -> None:
    with pytest.raises(ValueError, match="no element unicorn"):
        xml.write({"resourceType": "Patient", "unicorn": 1})
