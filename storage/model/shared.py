"""The datatypes that hang on resources of any type: identifiers, names, codes, references, notes..."""

from __future__ import annotations

from storage.model.columns import (
    Boolean,
    Bytes,
    Canonical,
    Code,
    Date,
    Instant,
    Integer,
    Json,
    Key,
    Normalised,
    Period,
    Quantity,
    Table,
    Text,
    index,
)
from storage.model.resource import Child, Shared


class Identifier(
    Shared,
    name="identifier",
    indexes=(
        index("value", "system", "owner_id", name="ix_ident"),
        index("owner_id"),
        index("resource_type", "system", "value", unique=True, where="is_unique", name="uq_identifier"),
    ),
):
    """Identifier; ``is_unique`` is TRUE for systems that are declared unique."""

    element_column = "element"
    element = Text(40, required=True)
    use = Code("usual", "official", "temp", "secondary", "old")
    system = Text(255)
    value = Text(255)
    period = Period()
    is_unique = Boolean(required=True, default="false")
    resource_type = Text(40, required=True)


class PersonName(Shared, name="person_name", indexes=(index("owner_id"),)):
    """HumanName; given names, prefixes and suffixes are lists of text."""

    element_column = "element"
    element = Text(40, required=True)
    use = Code("usual", "official", "temp", "nickname", "anonymous", "old", "maiden")
    text = Text(255)
    family = Text(255)
    given = Json()
    prefix = Json()
    suffix = Json()
    period = Period()


class ContactPoint(
    Shared,
    name="contact_point",
    indexes=(index("system", "value_norm", "owner_id", name="ix_telecom"), index("owner_id")),
):
    """ContactPoint; ``value_norm`` is the digits of a telephone number, an e-mail address in lower case."""

    element_column = "element"
    element = Text(40, required=True)
    system = Code("phone", "fax", "pager", "email", "url", "sms", "other")
    value = Text(255)
    value_norm = Normalised()
    use = Code("home", "work", "temp", "old", "mobile")
    rank = Integer()
    period = Period()


class PostalAddress(
    Shared, name="postal_address", indexes=(index("owner_id", "use"), index("use", "owner_id"))
):
    """Address; element ``address`` or ``birthPlace``."""

    element_column = "element"
    element = Text(40, required=True)
    use = Code("home", "work", "temp", "old", "billing")
    type = Code("postal", "physical", "both")
    text = Text()
    lines = Json()
    city = Text(120)
    district = Text(120)
    state = Text(120)
    postal_code = Text(120)
    country = Text(120)
    period = Period()


class Concept(
    Shared,
    name="concept",
    indexes=(index("element", "text_norm", name="ix_concept_text"), index("owner_id")),
):
    """One CodeableConcept (or Coding); ``element`` is its path without the type's name."""

    element_column = "element"
    element = Text(60, required=True)
    text = Text()
    text_norm = Normalised()


class Coding(
    Child,
    name="coding",
    indexes=(
        index("element", "code", "system", "owner_id", name="ix_coding_tok"),
        index("patient_id", "element", "code", "system", "owner_id", name="ix_coding_pat"),
        index("owner_id"),
        index("concept_id"),
    ),
):
    """One Coding of a concept; owner, patient and element are copied from it for search."""

    parent_column = "concept_id"
    element_column = "element"
    concept_id = Key("concept.id", required=True, ondelete="CASCADE")
    patient_id = Key()
    element = Text(60, required=True)
    system = Text(255)
    version = Text(80)
    code = Text(255)
    display = Text()
    display_norm = Normalised()
    user_selected = Boolean()


class Reference(
    Shared,
    name="reference",
    indexes=(
        index("path", "target_fhir_id", "target_type", "owner_id", name="ix_ref_fwd"),
        index("target_id", "path", "owner_id", name="ix_ref_rev"),
        index("path", "ident_value", "ident_system", "owner_id", name="ix_ref_ident"),
        index("owner_id", "path", "target_id", name="ix_ref_own"),
        index("target_type", "target_fhir_id", where="target_id IS NULL", name="ix_ref_open"),
    ),
):
    """Reference, as written; ``target_id`` is NULL until the target is here."""

    element_column = "path"
    path = Text(60, required=True)
    target_id = Key("resource.id")
    target_type = Text(40)
    target_fhir_id = Text(64)
    literal = Text()
    ident_system = Text(255)
    ident_value = Text(255)
    display = Text(255)


class Annotation(Shared, name="annotation", indexes=(index("owner_id"),)):
    """Annotation; an authorReference is a row of ``reference``."""

    element_column = "element"
    element = Text(40, required=True)
    text = Text(required=True)
    author_text = Text(255)
    authored = Date()


class Attachment(Shared, name="attachment", indexes=(index("owner_id"),)):
    """Attachment, with its data where it is small and inline."""

    element_column = "element"
    element = Text(40, required=True)
    content_type = Text(100)
    language = Text(20)
    url = Text()
    title = Text(255)
    size = Integer()
    hash = Text(64)
    creation = Date()
    data = Bytes()


class SearchString(
    Shared,
    name="search_string",
    indexes=(
        index("param", "norm", "owner_id", name="ix_str"),
        index("param", "phon", name="ix_str_phon"),
        index("owner_id"),
    ),
):
    """One searchable part of a string: as written, folded, and the Soundex of a part of a name."""

    element_column = "param"
    param = Text(40, required=True)
    value = Text()
    norm = Normalised()
    phon = Text(16)


class SearchDate(
    Shared,
    name="search_date",
    indexes=(
        index("element", "lo", "hi", "owner_id", name="ix_search_date"),
        index("owner_id"),
    ),
):
    """The bounds of a date, an instant, a period or a timing of a resource that is kept whole."""

    element_column = "element"
    element = Text(60, required=True)
    lo = Instant(required=True)
    hi = Instant(required=True)


class SearchQuantity(
    Shared,
    name="search_quantity",
    indexes=(
        index("element", "amount_value", "owner_id", name="ix_search_quantity"),
        index("element", "amount_canonical_unit", "amount_canonical", name="ix_search_quantity_canonical"),
        index("owner_id"),
    ),
):
    """A number, a quantity or an amount of money of a resource that is kept whole."""

    element_column = "element"
    element = Text(60, required=True)
    amount = Quantity()
    amount_canonical = Canonical()


TABLES: tuple[type[Table], ...] = (
    Identifier,
    PersonName,
    ContactPoint,
    PostalAddress,
    Concept,
    Coding,
    Reference,
    Annotation,
    Attachment,
)
"""The tables of the datatypes, parents before children."""
