"""The search parameters and what each of them offers, as a page for people, printed from what does the work.

https://hl7.org/fhir/R4/searchparameter-registry.html
"""

from __future__ import annotations

from collections.abc import Iterable

from gateway.fhir.conditions import modifiers
from gateway.fhir.criterion import FILTERS
from gateway.fhir.filter_tests import operators
from gateway.fhir.params import CONTROLS, includable
from mappings.resources import REGISTRY, WITH_TABLES
from mappings.search import EVERY, SearchParameter, parameters
from mappings.search_references import reference_paths, target_types
from storage.search.sort import sort_of, sortable

HEAD = """# Search

What can be asked, printed by `suture docs --search` from the code; a test asks for each line of it.

Values parted by commas are alternatives, a parameter that stands again is one more condition. A date, a
number and a quantity take the prefixes `eq ne gt lt ge le sa eb ap`. Quantities in units of UCUM are found
in any unit of the same kind. A reference can be chained (`patient.name`, `subject:Patient.name`) and asked
for backwards (`_has:Observation:patient:code`), up to five links. Where no type is told, all types are
followed that the reference may lead to and that have the next parameter, up to a hundred ways in all.
Chains do not go into contained resources. A search may have 100 conditions, 2,000 values (fewer of
composites and points) and chains of 50 links in all.

`:in` and `:not-in` take the closed value sets of R4 and every ValueSet held here, by its URL or as
`ValueSet/id`; `:above` and `:below` of codes need their CodeSystem here; of references they follow
`partOf`; of canonical URLs with a version they go by its parts (`|4` has `|4.0.1` below it).

`near=latitude|longitude|distance|unit`: the unit is one of UCUM's, `km` if none is told; no distance is 10
km. `_include` and `_revinclude` take `Type:parameter`, `Type:parameter:TargetType`, `Type:*` (every
reference) and `*`; with `:iterate` they go on from what came along. More than 10,000 included resources,
or more than 100 steps, are refused. `_totalMethod=count`, which fhirpy sends, asks for the total.
"""
TITLES = "| parameter | type | modifiers | `_filter` operators | sorts | includes | looks at |"
RULE = "| --- | --- | --- | --- | --- | --- | --- |"


def table() -> str:
    """Return the page: Markdown, a table for what all types have and one for each type with tables."""
    sections = [_section("All types", parameters(EVERY)), _controls()]
    sections += [_section(kind, _own(kind)) for kind in sorted(WITH_TABLES)]
    others = len(REGISTRY) - len(WITH_TABLES)
    return "\n".join([HEAD, *sections, f"The parameters of {others} more types stand in `/fhir/metadata`.\n"])


def _own(kind: str) -> dict[str, SearchParameter]:
    found, common = parameters(REGISTRY[kind]), parameters(EVERY)
    return {name: made for name, made in found.items() if name not in common}


def _controls() -> str:
    named = ", ".join(f"`{name}`" for name in (*FILTERS, *CONTROLS))
    return f"Beside these: {named}; `_type` where several types are searched (`/fhir?_type=...`).\n"


def _section(title: str, found: dict[str, SearchParameter]) -> str:
    rows = (f"| {' | '.join(_cells(made))} |" for made in found.values())
    return "\n".join([f"## {title}", "", TITLES, RULE, *rows, ""])


def _cells(parameter: SearchParameter) -> Iterable[str]:
    yield f"`{parameter.name}`"
    yield parameter.type
    offered = [f"`:{modifier}`" for modifier in modifiers(parameter)]
    offered += ["`:Type`"] if reference_paths(parameter) and len(target_types(parameter)) != 1 else []
    yield " ".join(offered)
    yield " ".join(sorted(operators(parameter)))
    yield "yes" if sortable(sort_of(parameter.name, parameter.targets)) else ""
    yield "yes" if includable(parameter) and reference_paths(parameter) else ""
    yield "<br>".join(expression.replace("|", "\\|") for expression in parameter.expressions)
