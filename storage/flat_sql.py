"""The fields of the flat patient record as SQL, each from its place.

``p`` is the patient, ``r`` its row of ``resource``. Fields of one table share a frame, which is joined once
for all that are asked for, however many: a record costs a few lookups by index, a list sorted by one field
only that field's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

from storage.model import flat_places as places
from storage.model.flat import BY_NAME, Field

LOINC = "http://loinc.org"
EMERGENCY = ("http://terminology.hl7.org/CodeSystem/v2-0131", "C")
FINAL = ("final", "amended", "corrected")
CANONICAL = {"cm": ("m", "100"), "kg": ("g", "0.001"), "kg/m2": ("g.m-2", "0.001")}
"""Unit of a field -> the unit in which observations are compared, and what one of it is in the field's."""

Placed = tuple[str, str]
"""The frame that an expression stands in ("" is none), and the expression."""


def literal(text: str) -> str:
    """Return a text as SQL has it."""
    return "'" + text.replace("'", "''").replace("%", "%%") + "'"


def listed(texts: Iterable[str]) -> str:
    """Return texts as the list after IN."""
    return f"({', '.join(map(literal, texts))})"


def word_of(column: str, codes: Mapping[str, str]) -> str:
    """Return the expression of the word for a code; of several words for one code it is the first."""
    words = {code: word for word, code in reversed(list(codes.items()))}
    cases = " ".join(f"WHEN {literal(code)} THEN {literal(word)}" for code, word in words.items())
    return f"CASE {column} {cases} END"


def words(
    where: str, place: places.Words | places.Finding, *, closed: bool = False, order: str = "c.item_no"
) -> str:
    """Return the expression of a concept in words: its text, the word for its code, how it is shown; a
    ``closed`` list has its own words first.
    """
    parts = ["c.text"]
    if place.codes:
        known = (
            f"(SELECT {word_of('g.code', place.codes)} FROM coding g WHERE g.concept_id = c.id"
            f" AND g.system = {literal(place.system)} AND g.code IN {listed(place.codes.values())}"
            " ORDER BY g.item_no LIMIT 1)"
        )
        parts.insert(0 if closed else 1, known)
    parts.append(_shown("c.id"))
    return f"(SELECT coalesce({', '.join(parts)}) FROM concept c WHERE {where} ORDER BY {order} LIMIT 1)"


def _shown(concept: str) -> str:
    return (
        "(SELECT coalesce(g.display, g.code) FROM coding g"
        f" WHERE g.concept_id = {concept} ORDER BY g.item_no LIMIT 1)"
    )


def _joined(column: str, beyond: int = 0) -> str:
    """Return the expression of a list of texts as one text, without the first ``beyond``."""
    return (
        "(SELECT string_agg(e.part, ' ' ORDER BY e.place)"
        f" FROM json_array_elements_text({column}) WITH ORDINALITY AS e(part, place)"
        f" WHERE e.place > {beyond})"
    )


def _first(value: str, condition: str, order: str) -> str:
    return f"(array_agg({value} ORDER BY {order}) FILTER (WHERE {condition}))[1]"


def preference(column: str, uses: tuple[str, ...]) -> str:
    """Return the expression that puts uses in their order."""
    return f"array_position(ARRAY[{', '.join(map(literal, uses))}], coalesce({column}, '')::text)"


def _own(place: places.Own) -> Placed:
    return "", word_of(f"p.{place.column}", place.codes) if place.codes else f"p.{place.column}"


def _number(place: places.Number) -> Placed:
    if place.column:
        return "", f"p.{place.column}"
    return "ident", _first("i.value", f"i.system = {literal(place.system)}", "i.item_no")


NAME_PARTS = {
    "first": "n.given ->> 0",
    "middle": _joined("n.given", 1),
    "last": "n.family",
    "suffix": _joined("n.suffix"),
    "whole": f"coalesce(n.text, nullif(concat_ws(' ', {_joined('n.given')}, n.family), ''))",
}


def _name(place: places.Name) -> Placed:
    return "nick" if place.part == "whole" else "named", NAME_PARTS[place.part]


def _contact(place: places.Contact) -> Placed:
    fits = f"t.system = {literal(place.system)} AND coalesce(t.use, '') IN {listed(place.uses)}"
    return "telecom", _first("t.value", fits, f"{preference('t.use', place.uses)}, t.item_no")


ADDRESS_PARTS = {"line1": "a.lines ->> 0", "line2": _joined("a.lines", 1)}


def _address(place: places.Address) -> Placed:
    return "home", ADDRESS_PARTS.get(place.part, f"a.{place.part}")


_IS_EMERGENCY = (
    "EXISTS (SELECT FROM coding g WHERE g.concept_id = c.id"
    f" AND g.system = {literal(EMERGENCY[0])} AND g.code = {literal(EMERGENCY[1])})"
)
_OF_PARTY = "c.owner_id = p.id AND c.child_id = x.id AND c.element = 'contact.relationship'"
PARTY_PARTS = {
    "name": f"""(SELECT {NAME_PARTS["whole"]} FROM person_name n
        WHERE n.owner_id = p.id AND n.child_id = x.id AND n.element = 'contact.name' LIMIT 1)""",
    "phone": """(SELECT t.value FROM contact_point t WHERE t.owner_id = p.id AND t.child_id = x.id
        AND t.element = 'contact.telecom' AND t.system = 'phone' ORDER BY t.item_no LIMIT 1)""",
    # The concept that says only that this is a contact for emergencies tells no relationship.
    "relationship": words(
        f"{_OF_PARTY} AND (c.text IS NOT NULL OR NOT {_IS_EMERGENCY})",
        places.Words(("contact.relationship",)),
    ),
}


def _party(place: places.Party) -> Placed:
    return "party", PARTY_PARTS[place.part]


def _words(place: places.Words) -> Placed:
    where = f"c.owner_id = p.id AND c.child_id IS NULL AND c.element IN {listed(place.elements)}"
    order = f"array_position(ARRAY[{', '.join(map(literal, place.elements))}], c.element), c.item_no"
    found = words(where, place, order=order)
    return "", f"coalesce(p.{place.column}, {found})" if place.column else found


def _language(_: places.Language) -> Placed:
    return "", (
        "(SELECT coalesce(c.text, (SELECT coalesce(g.code, g.display) FROM coding g"
        " WHERE g.concept_id = c.id ORDER BY g.item_no LIMIT 1))"
        " FROM patient_communication m JOIN concept c ON c.owner_id = m.owner_id AND c.child_id = m.id"
        " AND c.element = 'communication.language' WHERE m.owner_id = p.id"
        " ORDER BY m.preferred IS NOT TRUE, m.item_no LIMIT 1)"
    )


def named_by(path: str, owner: str, child: str = "IS NULL") -> str:
    """Return the expression of how the first reference at a path is shown, else how its target is named."""
    return (
        "(SELECT coalesce(f.display, (SELECT d.display_name FROM practitioner d WHERE d.id = f.target_id),"
        " (SELECT z.name FROM organization z WHERE z.id = f.target_id),"
        " (SELECT d.display_name FROM patient d WHERE d.id = f.target_id))"
        f" FROM reference f WHERE f.owner_id = {owner} AND f.path = '{path}' AND f.child_id {child}"
        " ORDER BY f.item_no LIMIT 1)"
    )


COVER_PARTS = {
    "provider": named_by("payor", "v.id"),
    "type": "v.insurance_type",
    "policy_number": """(SELECT i.value FROM identifier i
        JOIN concept c ON c.owner_id = i.owner_id AND c.child_id = i.id AND c.element = 'identifier.type'
        JOIN coding g ON g.concept_id = c.id AND g.code = 'MB'
        WHERE i.owner_id = v.id AND i.element = 'identifier' ORDER BY i.item_no LIMIT 1)""",
    "group_number": """(SELECT l.value FROM coverage_class l
        JOIN concept c ON c.owner_id = l.owner_id AND c.child_id = l.id AND c.element = 'class.type'
        JOIN coding g ON g.concept_id = c.id AND g.code = 'group'
        WHERE l.owner_id = v.id ORDER BY l.item_no LIMIT 1)""",
    "subscriber_name": named_by("subscriber", "v.id"),
    "subscriber_relationship": words(
        "c.owner_id = v.id AND c.child_id IS NULL AND c.element = 'relationship'",
        places.Words(("relationship",)),
    ),
    "effective_date": "v.period_start",
    "expiration_date": "v.period_end",
}


def _cover(place: places.Cover) -> Placed:
    return f"cover{place.position}", COVER_PARTS[place.part]


FINDINGS = f"""FROM coding k JOIN observation o ON o.id = k.owner_id JOIN resource r ON r.id = o.id
    WHERE k.element = 'code' AND k.system = {literal(LOINC)} AND o.status IN {listed(FINAL)}
    AND r.deleted_at IS NULL"""
"""Live final observations ``o``, their heads ``r`` and their codes ``k``."""
NEWEST = "o.effective_lo DESC NULLS LAST, r.last_updated DESC, o.id DESC"
"""Their order, the newest first."""


def finding(field: Field, place: places.Finding) -> Placed:
    """Return the expression of the value of the newest final observation of a code."""
    shown = "c.owner_id = o.id AND c.child_id IS NULL AND c.element = 'value'"
    value = f"coalesce(o.value_text, {words(shown, place, closed=bool(field.values))})"
    if place.unit is not None:
        canonical, factor = CANONICAL[place.unit]
        value = (
            f"CASE WHEN coalesce(o.value_code, o.value_unit) = {literal(place.unit)} THEN o.value_value"
            f" WHEN o.value_canonical_unit = '{canonical}'"
            f" THEN trim_scale(round(o.value_canonical * {factor}, 4)) END"
        )
    return "found", f"max({value}) FILTER (WHERE o.code = {literal(place.code)})"


def _newest(names: Iterable[str]) -> str:
    """Return the FROM of the newest final observations ``o`` of the codes of fields."""
    found = (BY_NAME[name].place for name in names)
    codes = [place.code for place in found if isinstance(place, places.Finding)]
    return f"""FROM (SELECT DISTINCT ON (k.code) k.code, o.id, o.value_text, o.value_value, o.value_code,
        o.value_unit, o.value_canonical, o.value_canonical_unit
        {FINDINGS} AND k.patient_id = p.id AND k.code IN {listed(codes)} ORDER BY k.code, {NEWEST}) o"""


def _has(owner: str, element: str, codes: tuple[str, ...]) -> str:
    return (
        f"EXISTS (SELECT FROM coding g WHERE g.owner_id = {owner} AND g.element = '{element}'"
        f" AND g.code IN {listed(codes)})"
    )


CURRENT = {
    "allergy": f"NOT {_has('x.id', 'clinicalStatus', ('inactive', 'resolved'))}"
    f" AND NOT {_has('x.id', 'verificationStatus', ('entered-in-error', 'refuted'))}",
    "medication": "x.status IN ('active', 'intended', 'on-hold')",
}
"""What is current of a list."""
ELEMENT = {"allergy": "code", "medication": "medication"}
"""The concept that names what stands in a list."""


def listed_texts(table: str) -> str:
    """Return the FROM and WHERE of what is current in a list of a patient ``p``: rows ``x``, heads ``rx``."""
    return (
        f"FROM {table} x JOIN resource rx ON rx.id = x.id"
        f" JOIN concept c ON c.owner_id = x.id AND c.child_id IS NULL AND c.element = '{ELEMENT[table]}'"
        f" WHERE x.patient_id = p.id AND rx.deleted_at IS NULL AND {CURRENT[table]}"
    )


def listed_text() -> str:
    """Return the expression of one text of a list, without what parts the list."""
    return f"replace(coalesce(c.text, {_shown('c.id')}), ';', ',')"


def _listing(place: places.Listing) -> Placed:
    source = listed_texts(place.table)
    return "", f"(SELECT string_agg({listed_text()}, '; ' ORDER BY rx.created_at, rx.id) {source})"


VISIT = """FROM encounter s JOIN resource rs ON rs.id = s.id WHERE s.patient_id = p.id
    AND rs.deleted_at IS NULL AND s.status NOT IN ('cancelled', 'entered-in-error')"""
NEWEST_VISIT = "ORDER BY s.period_lo DESC NULLS LAST, rs.created_at DESC, s.id DESC LIMIT 1"
REFERRER = """(SELECT t.id FROM encounter_participant t
    JOIN concept c ON c.owner_id = t.owner_id AND c.child_id = t.id AND c.element = 'participant.type'
    JOIN coding g ON g.concept_id = c.id AND g.code = 'REF'
    WHERE t.owner_id = s.id ORDER BY t.item_no LIMIT 1)"""


def _referral(_: places.Referral) -> Placed:
    return "", (
        f"(SELECT {named_by('participant.individual', 's.id', f'= {REFERRER}')} {VISIT} {NEWEST_VISIT})"
    )


def _stay(place: places.Stay) -> Placed:
    return "stay", f"s.period_{place.part}"


def _standing(_: places.Standing) -> Placed:
    return "", (
        "CASE WHEN p.deceased IS NOT NULL OR p.deceased_boolean THEN 'deceased'"
        " WHEN p.active IS FALSE THEN 'inactive' ELSE 'active' END"
    )


def _notes(_: places.Notes) -> Placed:
    return "", (
        "(SELECT string_agg(n.text, E'\\n' ORDER BY n.item_no) FROM annotation n"
        " WHERE n.owner_id = p.id AND n.child_id IS NULL AND n.element = 'note')"
    )


_PLACED: dict[type, Callable[[Any], Placed]] = {
    places.Own: _own,
    places.Head: lambda place: ("", f"r.{place.column}"),
    places.Number: _number,
    places.Name: _name,
    places.Contact: _contact,
    places.Address: _address,
    places.Party: _party,
    places.Words: _words,
    places.Language: _language,
    places.Cover: _cover,
    places.Listing: _listing,
    places.Doctor: lambda _: ("", named_by("generalPractitioner", "p.id")),
    places.Referral: _referral,
    places.Stay: _stay,
    places.Standing: _standing,
    places.Notes: _notes,
}


def _names(field: str) -> str:
    place = BY_NAME[field].place
    uses = place.uses if isinstance(place, places.Name) else ()
    return (
        "FROM person_name n WHERE n.owner_id = p.id AND n.child_id IS NULL AND n.element = 'name'"
        f" AND coalesce(n.use, '') IN {listed(uses)}"
        f" ORDER BY {preference('n.use', uses)}, n.item_no LIMIT 1"
    )


def cover_of(position: int) -> str:
    """Return the FROM of the cover ``v`` of a patient ``p`` at a position."""
    return f"""FROM coverage v JOIN resource rv ON rv.id = v.id WHERE v.patient_id = p.id
    AND coalesce(v.position, 1) = {position} AND rv.deleted_at IS NULL AND v.status IN ('active', 'draft')
    ORDER BY v.position NULLS LAST, v.status, rv.created_at DESC, v.id DESC LIMIT 1"""


STAY = f"{VISIT} AND s.encounter_type = 'inpatient' {NEWEST_VISIT}"
FRAMES = {
    "ident": "FROM identifier i WHERE i.owner_id = p.id AND i.child_id IS NULL AND i.element = 'identifier'",
    "named": _names("last_name"),
    "nick": _names("preferred_name"),
    "telecom": "FROM contact_point t WHERE t.owner_id = p.id AND t.child_id IS NULL"
    " AND t.element = 'telecom'",
    "home": "FROM postal_address a WHERE a.owner_id = p.id AND a.child_id IS NULL AND a.element = 'address'"
    " AND coalesce(a.use, '') IN ('home', '')"
    f" ORDER BY {preference('a.use', ('home', ''))}, a.item_no LIMIT 1",
    "party": "FROM patient_contact x WHERE x.owner_id = p.id AND EXISTS (SELECT FROM concept c"
    f" WHERE {_OF_PARTY} AND {_IS_EMERGENCY}) ORDER BY x.item_no LIMIT 1",
    "cover1": cover_of(1),
    "cover2": cover_of(2),
    "stay": STAY,
}
"""What each frame looks at."""


@cache
def placed(name: str) -> Placed:
    """Return the frame of a field and its expression there."""
    field = BY_NAME[name]
    if isinstance(field.place, places.Finding):
        return finding(field, field.place)
    return _PLACED[type(field.place)](field.place)


def expression(name: str) -> str:
    """Return the expression of a field where its frame is joined."""
    frame, made = placed(name)
    return f'{frame}."{name}"' if frame else made


def joins(names: Iterable[str]) -> str:
    """Return the joins of the frames of fields."""
    frames: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        frames.setdefault(placed(name)[0], []).append(name)
    frames.pop("", None)
    return "\n".join(_join(frame, inside) for frame, inside in frames.items())


def _join(frame: str, names: list[str]) -> str:
    columns = ", ".join(f'{placed(name)[1]} AS "{name}"' for name in names)
    source = _newest(names) if frame == "found" else FRAMES[frame]
    return f"LEFT JOIN LATERAL (SELECT {columns} {source}) {frame} ON true"
