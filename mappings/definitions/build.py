"""Makes the data files of this folder out of the R4 definitions (https://hl7.org/fhir/R4/downloads.html).

Run it as `python -m mappings.definitions.build FOLDER` where FOLDER holds `elements.json` (one record per
element definition), `required-valuesets.json` (value set URL to a list of `system|code`),
`search-parameters.json` (one record per SearchParameter) and `compartments.json`. Facts only are kept:
paths, types, cardinality, reference targets, required codes, summary flags, and where search parameters look.
Those that cannot be reduced to paths of elements stand in `search_left_out.json`.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import msgspec

from mappings.definitions import resource_types
from mappings.definitions.reduce import reduce
from mappings.resources import WITH_TABLES

HERE = Path(__file__).parent
VALUE_SETS = "http://hl7.org/fhir/ValueSet/"
_STRING = "http://hl7.org/fhirpath/System.String"
_BASES = {
    "Element": ("id", "extension"),
    "BackboneElement": ("id", "extension", "modifierExtension"),
    "Resource": ("id", "meta", "implicitRules", "language"),
    "DomainResource": (
        "id",
        "meta",
        "implicitRules",
        "language",
        "text",
        "contained",
        "extension",
        "modifierExtension",
    ),
}
_PLAIN = {"Extension.url": "uri", "Resource.id": "id", "DomainResource.id": "id"}
_ABSTRACT = frozenset({*_BASES, "MetadataResource", "CatalogEntry"})
TAKEN_TOO = {
    "MedicationRequest.dispenseRequest.performer": {
        "Reference(Organization)": "Reference(Organization|Practitioner)"
    },
}
"""Types that the standard's own examples have against its definitions, by path."""

Record = dict[str, Any]


def _types(record: Record) -> list[str]:
    if reference := record.get("contentReference"):
        return [reference]
    if record["type"] == [_STRING]:
        return [_PLAIN.get(record["path"], "string")]
    told: list[str] = record["type"]
    return [TAKEN_TOO.get(record["path"], {}).get(kind, kind) for kind in told]


def _codes(record: Record) -> str:
    binding = record.get("binding", {})
    if binding.get("strength") != "required":
        return ""
    return binding["valueSet"].partition("|")[0].removeprefix(VALUE_SETS)


def _line(record: Record) -> list[Any]:
    """`[path, types, min, max, codes, summary]`, with what has its usual value left off the end."""
    most = None if record["max"] == "*" else int(record["max"])
    path = record["path"].partition(".")[2]
    line = [path, _types(record), record["min"], most, _codes(record), bool(record.get("isSummary"))]
    for usual in (False, "", 1, 0):
        if line[-1] != usual or type(line[-1]) is not type(usual):
            break
        line.pop()
    return line


def _base(records: list[Record]) -> str:
    own = {record["path"].partition(".")[2] for record in records}
    return next(base for base in reversed(_BASES) if own.issuperset(_BASES[base]))


def _inherited(path: str, base: str, backbones: set[str]) -> bool:
    owner, _, name = path.rpartition(".")
    if owner == "":
        return name in _BASES[base]
    return owner in backbones and name in _BASES["BackboneElement"]


def _backbones(records: list[Record]) -> set[str]:
    kinds = (["BackboneElement"], ["Element"])
    return {record["path"].partition(".")[2] for record in records if record.get("type") in kinds}


def _type(records: list[Record]) -> Record:
    base, backbones = _base(records), _backbones(records)
    lines = [_line(record) for record in records]
    return {"base": base, "elements": [line for line in lines if not _inherited(line[0], base, backbones)]}


def _is_primitive(parts: list[Record]) -> bool:
    name = parts[0]["path"].partition(".")[0]
    return not name[0].isupper() or any(
        part["path"] == f"{name}.value" and part["type"] == [_STRING] for part in parts
    )


def _abstract(domain_resource: list[Record]) -> dict[str, Record]:
    """The abstract types, whose elements all stand in DomainResource too."""
    known = {record["path"].partition(".")[2]: record for record in domain_resource}
    return {
        base: {"base": "", "elements": [_line(known[name] | {"path": f"{base}.{name}"}) for name in names]}
        for base, names in _BASES.items()
    }


def compact(records: list[Record]) -> dict[str, Record]:
    """Element definition records, as the contents of `elements.json`; primitive types are left out."""
    grouped: defaultdict[str, list[Record]] = defaultdict(list)
    for record in records:
        if "." in record["path"]:
            grouped[record["path"].partition(".")[0]].append(record)
    out = _abstract(grouped["DomainResource"])
    for name in sorted(grouped.keys() - _ABSTRACT):
        if not _is_primitive(grouped[name]):
            out[name] = _type(grouped[name])
    return out


def compact_codes(value_sets: dict[str, list[str] | None]) -> dict[str, dict[str, list[str]]]:
    """Value sets as `{name: {system: [code]}}`; those that are not a closed list are left out."""
    out: dict[str, dict[str, list[str]]] = {}
    for url, codes in sorted(value_sets.items()):
        systems: defaultdict[str, list[str]] = defaultdict(list)
        for system, _, code in (entry.rpartition("|") for entry in codes or ()):
            systems[system].append(code)
        if systems:
            out[url.removeprefix(VALUE_SETS)] = dict(systems)
    return out


def compact_search(records: list[Record]) -> tuple[dict[str, Record], dict[str, str]]:
    """Search parameters as the contents of `search.json`, {type: {name: [type, leaf...]}}, of types without
    tables of their own; and `{type.name: expression}` of what is left out. Those that every resource has are
    in neither.
    """
    made: dict[str, Record] = {name: {} for name in sorted(resource_types() - WITH_TABLES)}
    left: dict[str, str] = {}
    for record in sorted(records, key=lambda found: found["code"]):
        for base in record["base"]:
            if base not in made:
                continue
            found = reduce(base, record)
            if found.leaves:
                made[base][record["code"]] = [found.type, *found.leaves]
            if found.left or not found.leaves:
                told = found.left or [record.get("expression", "")]
                left[f"{base}.{record['code']}"] = f"{found.type}: {' | '.join(told)}"
    return made, dict(sorted(left.items()))


def compact_compartments(records: list[Record]) -> dict[str, dict[str, list[str]]]:
    """Compartment definitions as `{compartment: {type: [parameter]}}`, without types that are in none."""
    return {
        record["code"]: {part["code"]: part["param"] for part in record["resource"] if part.get("param")}
        for record in sorted(records, key=lambda found: found["code"])
    }


def lines(table: dict[str, Any]) -> bytes:
    """The table as JSON with one key per line, so that a change shows as the lines that changed."""
    rows = [msgspec.json.encode(key) + b":" + msgspec.json.encode(value) for key, value in table.items()]
    return b"{\n" + b",\n".join(rows) + b"\n}\n"


def main(folder: Path) -> None:
    """Write the data files from the definitions in `folder`."""
    records = msgspec.json.decode((folder / "elements.json").read_bytes())
    value_sets = msgspec.json.decode((folder / "required-valuesets.json").read_bytes())
    (HERE / "elements.json").write_bytes(lines(compact(records)))
    (HERE / "codes.json").write_bytes(lines(compact_codes(value_sets)))
    found, left = compact_search(msgspec.json.decode((folder / "search-parameters.json").read_bytes()))
    (HERE / "search.json").write_bytes(lines(found))
    (HERE / "search_left_out.json").write_bytes(lines(left))
    compartments = msgspec.json.decode((folder / "compartments.json").read_bytes())
    (HERE / "compartments.json").write_bytes(lines(compact_compartments(compartments)))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
