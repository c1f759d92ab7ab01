"""HL7v2 datatypes as FHIR values: CX, EI, HD, XPN, XAD, XTN, XCN, CWE, as the v2-to-FHIR guide maps them.

https://hl7.org/fhir/uv/v2mappings/2024Sep/datatype_maps.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from mappings import times
from mappings.definitions.invariants import in_order
from mappings.element import V2Context, Value
from storage.model.flat import SSN

if TYPE_CHECKING:
    from mappings.er7 import Repetition

V2_TABLE = "http://terminology.hl7.org/CodeSystem/v2-"
IDENTIFIER_TYPE = V2_TABLE + "0203"

NAME_USE = {
    "L": "official",
    "D": "usual",
    "M": "maiden",
    "N": "nickname",
    "S": "anonymous",
    "T": "temp",
    "BAD": "old",
}
ADDRESS_USE = {"H": "home", "B": "work", "O": "work", "BI": "billing", "C": "temp", "BA": "old"}
ADDRESS_TYPE = {"M": "postal", "SH": "postal"}
TELECOM_USE = {"PRN": "home", "ORN": "home", "VHN": "home", "WPN": "work", "PRS": "mobile"}
TELECOM_SYSTEM = {
    "PH": "phone",
    "CP": "phone",
    "SAT": "phone",
    "FX": "fax",
    "BP": "pager",
    "INTERNET": "email",
    "X.400": "email",
    "TDD": "other",
    "TTY": "other",
}
CODE_SYSTEMS = {
    "LN": "http://loinc.org",
    "LOINC": "http://loinc.org",
    "SCT": "http://snomed.info/sct",
    "SNM": "http://snomed.info/sct",
    "SNOMED": "http://snomed.info/sct",
    "C4": "http://www.ama-assn.org/go/cpt",
    "CPT": "http://www.ama-assn.org/go/cpt",
    "CPT4": "http://www.ama-assn.org/go/cpt",
    "I10": "http://hl7.org/fhir/sid/icd-10",
    "I10C": "http://hl7.org/fhir/sid/icd-10-cm",
    "ICD-10": "http://hl7.org/fhir/sid/icd-10",
    "ICD10": "http://hl7.org/fhir/sid/icd-10",
    "ICD-10-CM": "http://hl7.org/fhir/sid/icd-10-cm",
    "I9": "http://hl7.org/fhir/sid/icd-9-cm",
    "I9C": "http://hl7.org/fhir/sid/icd-9-cm",
    "ICD9": "http://hl7.org/fhir/sid/icd-9-cm",
    "UCUM": "http://unitsofmeasure.org",
    "RXNORM": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "NDC": "http://hl7.org/fhir/sid/ndc",
    "CVX": "http://hl7.org/fhir/sid/cvx",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "NPI": "http://hl7.org/fhir/sid/us-npi",
    "ISO3166_1": "urn:iso:std:iso:3166",
}
"""HL7 table 0396 (coding systems) -> FHIR system; an unlisted one becomes ``urn:hl7:cs:NAME``."""


def code_system(name: str) -> str | None:
    """Return the FHIR system of a coding system's name in CWE-3 (table 0396), None for an empty one."""
    if not name:
        return None
    upper = name.upper()
    if upper in CODE_SYSTEMS:
        return CODE_SYSTEMS[upper]
    if upper.startswith("HL7") and upper[3:].isdigit():
        return V2_TABLE + upper[3:].zfill(4)
    if upper == "99SGRC":
        return "http://suture.example.org/fhir/CodeSystem/research-case"
    return f"urn:hl7:cs:{quote(name, safe='')}"


def system(repetition: Repetition, component: int, context: V2Context) -> str | None:
    """Return the FHIR identifier system of an HD component (namespace & universal id & type)."""
    name, universal, kind = (repetition.component(component, sub) for sub in (1, 2, 3))
    return authority(name, universal, kind, context)


HD = "urn:hl7:hd:"
"""Before the name of an assigning authority of which nothing else is known."""
AUTHORITIES: dict[str, str] = {"USSSA": SSN, "2.16.840.1.113883.4.1": SSN}
"""HL7 table 0363 (assigning authorities) and their OIDs -> FHIR system."""


def system_named(authority: str) -> str:
    """Return the system of an assigning authority of which the name alone is known."""
    return f"{HD}{quote(authority, safe='')}"


def authority(name: str, universal: str, kind: str, context: V2Context) -> str | None:
    """Return the FHIR system of an assigning authority: a declared one, else its OID, URI or UUID, else its
    name.
    """
    declared = context.systems.get(universal) or context.systems.get(name)
    declared = declared or AUTHORITIES.get(universal) or AUTHORITIES.get(name)
    if declared:
        return declared
    if universal and kind in ("ISO", ""):
        return f"urn:oid:{universal}" if universal.replace(".", "").isdigit() else system_named(universal)
    if universal and kind in ("URI", "URL"):
        return universal
    if universal and kind in ("UUID", "GUID"):
        return f"urn:uuid:{universal.lower()}"
    return system_named(name or universal) if name or universal else None


def compact(**parts: Value) -> dict[str, Any] | None:
    """Return the object of the parts that are there (not None, not empty), None if there are none."""
    return {
        name.rstrip("_"): value for name, value in parts.items() if value not in (None, "", [], {})
    } or None


def period(start: str, end: str, context: V2Context) -> Value:
    """Return the Period of two time stamps. Raises ValueError where one is none, or the end is before the
    start.
    """
    if context.undated:
        return None
    found = [times.from_v2(text, context.zone) if text else None for text in (start, end)]
    if found[0] and found[1] and not in_order(found[0], found[1]):
        raise ValueError("the end of a period is before its start")
    return compact(start=found[0], end=found[1])


def identifier_type(code: str) -> Value:
    """Return Identifier.type of a code of table 0203; what does not look like one is its text."""
    if not code:
        return None
    listed = code.isalnum() and code.isupper() and len(code) <= 5
    return {"coding": [{"system": IDENTIFIER_TYPE, "code": code}]} if listed else {"text": code.strip()}


def cx(repetition: Repetition, context: V2Context) -> Value:
    """CX -> Identifier: 1 value, 4 system, 5 type, 7 and 8 period."""
    value = repetition.component(1).strip()
    if not value:
        return None
    return compact(
        type=identifier_type(repetition.component(5)),
        system=system(repetition, 4, context),
        value=value,
        period=period(repetition.component(7), repetition.component(8), context),
    )


def ei(repetition: Repetition, context: V2Context) -> Value:
    """EI -> Identifier: 1 value, 2 to 4 assigning authority."""
    value = repetition.component(1).strip()
    if not value:
        return None
    found = authority(repetition.component(2), repetition.component(3), repetition.component(4), context)
    return compact(system=found, value=value)


def typed(read: Any, code: str) -> Any:
    """Return a reader of identifiers that adds a type of table 0203 (PLAC, FILL, ACSN...) where there is
    none.
    """

    def reader(repetition: Repetition, context: V2Context) -> Value:
        made = read(repetition, context)
        return made and {"type": identifier_type(code), **made}

    return reader


def xpn(repetition: Repetition, context: V2Context) -> Value:
    """XPN -> HumanName: 1.1 family, 2 and 3 given, 4, 6 and 14 suffix, 5 prefix, 7 use, 12 and 13 period."""
    part = repetition.component
    made = compact(
        use=NAME_USE.get(part(7)),
        family=part(1),
        given=[name for name in (part(2), part(3)) if name],
        prefix=[part(5)] if part(5) else None,
        suffix=[name for name in (part(4), part(6), part(14)) if name],
        period=period(part(12), part(13), context),
    )
    return made if made and made.keys() - {"use", "period"} else None


def xad(repetition: Repetition, context: V2Context) -> Value:
    """XAD -> Address: 1, 2 lines, 3 city, 4 state, 5 postal code, 6 country, 7 use and type, 9 district."""
    part = repetition.component
    made = compact(
        use=ADDRESS_USE.get(part(7)),
        type=ADDRESS_TYPE.get(part(7)),
        line=[line for line in (part(1), part(1, 2), part(2)) if line],
        city=part(3),
        district=part(9),
        state=part(4),
        postalCode=part(5),
        country=part(6),
    )
    return made if made and made.keys() - {"use", "type"} else None


FOREIGN_NUMBER = re.compile(r"\+?[\d ()./-]{5,}")


def xtn(repetition: Repetition, context: V2Context) -> Value:
    """XTN -> ContactPoint: 1 (old), 4 (e-mail), 5 to 8 (parts) or 12; 2 use, 3 equipment. A number alone in 9
    is one that TN has no form for.
    """
    part = repetition.component
    equipment, use = part(3).upper(), part(2).upper()
    kind = TELECOM_SYSTEM.get(equipment) or (
        "email" if use == "NET" or (part(4) and not part(1)) else "phone"
    )
    remark = part(9) if FOREIGN_NUMBER.fullmatch(part(9)) else ""
    number = part(12) or part(1) or assembled(repetition) or remark
    value = part(4) or number if kind == "email" else number or part(4)
    if not value:
        return None
    return compact(system=kind, value=value, use="mobile" if equipment == "CP" else TELECOM_USE.get(use))


def assembled(repetition: Repetition) -> str:
    """Return the telephone number of XTN-5 to XTN-8 (country, area, local number, extension)."""
    part = repetition.component
    country = f"+{part(5).lstrip('+')}" if part(5) else ""
    extension = f"ext. {part(8)}" if part(8) else ""
    return " ".join(piece for piece in (country, part(6), part(7), extension) if piece) if part(7) else ""


def codings(repetition: Repetition) -> list[dict[str, Any]]:
    """Return the codings of a CWE: components 1 to 3, 4 to 6 and 10 to 12, versions 7, 8 and 13."""
    found: list[dict[str, Any]] = []
    for first, version in ((1, 7), (4, 8), (10, 13)):
        code = repetition.component(first).strip()
        if code:
            made = compact(
                system=code_system(repetition.component(first + 2).strip()),
                version=repetition.component(version),
                code=code,
                display=repetition.component(first + 1).strip(),
            )
            found.append(made or {})
    return found


def cwe(repetition: Repetition, context: V2Context) -> Value:
    """CWE, CNE, CE -> CodeableConcept: three codings, 9 original text; a text without a code is the text."""
    found = codings(repetition)
    text = repetition.component(9) or ("" if found else repetition.component(2) or repetition.component(5))
    return compact(coding=found, text=text.strip())


def coding(repetition: Repetition, context: V2Context) -> Value:
    """CWE -> Coding: the first one."""
    return next(iter(codings(repetition)), None)


def xcn(repetition: Repetition, context: V2Context) -> Value:
    """XCN -> the Practitioner that it names: identifier of 1, 9 and 13, name of 2 to 7; None where it names
    nobody.
    """
    part = repetition.component
    value = part(1).strip()
    identifier = (
        compact(type=identifier_type(part(13)), system=system(repetition, 9, context), value=value)
        if value
        else None
    )
    name = compact(
        use=NAME_USE.get(part(10)),
        family=part(2),
        given=[given for given in (part(3), part(4)) if given],
        prefix=[part(6)] if part(6) else None,
        suffix=[suffix for suffix in (part(5), part(7)) if suffix],
    )
    named = name if name and name.keys() - {"use"} else None
    return compact(identifier=[identifier] if identifier else None, name=[named] if named else None)


def pl(repetition: Repetition, context: V2Context) -> Value:
    """PL -> the key of the Location that it names: facility^building^floor^point-of-care^room^bed, None if
    empty.
    """
    part = repetition.component
    steps = [part(4), part(7), part(8), part(1), part(2), part(3)]
    return "^".join(steps) if any(steps) else None
