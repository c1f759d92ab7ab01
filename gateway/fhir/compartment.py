"""Search of a compartment: `Type/id/Member` for one type of its members, `Type/id/*` for all of them.

https://hl7.org/fhir/R4/search.html#searchcontexts
"""

from __future__ import annotations

from dataclasses import replace

from gateway.errors import NotFound, UnsupportedParameterValue
from gateway.fhir import params
from gateway.fhir.query_string import pairs
from gateway.fhir.search import Records, answered, is_lenient
from gateway.fhir.search_values import Context
from gateway.fhir.terms import held_by
from gateway.fhir.view import view_of
from gateway.records import Caller
from gateway.unit import mapping_of
from mappings.compartments import PERSON, all_paths, is_compartment, members, paths
from storage.search.query import Compartment

ANY = "*"


def search(
    records: Records,
    caller: Caller,
    resource_type: str,
    fhir_id: str,
    member: str,
    text: str,
    base_url: str,
    prefer: str = "",
) -> bytes:
    """Return the Bundle of one page of the members of a compartment that fit a search.

    ``member`` is a type, or ``*`` for all, of which `_type` may choose some. Raises NotFound,
    UnsupportedType, and what a search raises.
    """
    context = Context(records.clock(), base_url, held_by(records, caller, base_url))
    asked = understood(resource_type, fhir_id, member, text, context, lenient=is_lenient(prefer))
    shown = view_of(text, None if member == ANY else member)
    return answered(records, caller, asked, shown, f"{base_url}/{resource_type}/{fhir_id}/{member}", base_url)


def understood(
    resource_type: str, fhir_id: str, member: str, text: str, context: Context, *, lenient: bool = False
) -> params.Search:
    """Return what a search of a compartment asks for. Raises as ``search``."""
    mapping_of(resource_type)
    if not is_compartment(resource_type):
        raise NotFound(f"There is no compartment of a {resource_type}, and no operation {member[:60]}.")
    several = member == ANY
    asked = _asked(member, text, context, lenient=lenient)
    known = members(resource_type)
    names = (asked.query.types or known) if several else (member,)
    for name in names:
        if name not in known:
            told = f"No {name} can be in the compartment of a {resource_type}."
            raise UnsupportedParameterValue(told, expression="http._type") if several else NotFound(told)
    held = compartment(resource_type, fhir_id, names)
    types = names if several else ()
    asked.query = replace(asked.query, conditions=(held, *asked.query.conditions), types=types)
    return asked


def _asked(member: str, text: str, context: Context, *, lenient: bool) -> params.Search:
    if member == ANY:
        return params.parse_several(pairs(text), context, lenient=lenient)
    return params.parse(mapping_of(member), pairs(text), context, lenient=lenient)


def compartment(
    resource_type: str, fhir_id: str, names: tuple[str, ...], *, closed: bool = False
) -> Compartment:
    """Return the condition that a resource of some types is in a compartment; ``closed``: or is referred to
    from there, as far as it is no other person's.
    """
    held = tuple((name, found) for name in names if (found := paths(resource_type, name)))
    persons = Compartment(PERSON, "", all_paths(PERSON)) if closed else None
    return Compartment(resource_type, fhir_id, held, persons)
