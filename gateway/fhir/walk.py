"""One walk over a resource by the R4 definitions, which names and locates everything that is wrong.

JSON form: https://hl7.org/fhir/R4/json.html; references: https://hl7.org/fhir/R4/references.html.
It says in full what is wrong with form, values, required codes, references, narrative and invariants.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, cast

from gateway.errors import Issue
from gateway.fhir import narrative
from gateway.fhir.references import Scope, contained_faults, reference_fault, scope_of
from gateway.fhir.shapes import Field, Kind, Shape, shape_of
from mappings import definitions
from storage.lexical import ENCODER

Object = dict[str, Any]
At = tuple["At | None", str, int]
"""Where: the place of the owner, the property name, the index or -1. Made into text only when something is
wrong.
"""

MOST_ISSUES = 200
_MOST_HINTS = 20


def expression(at: At) -> str:
    """A place as FHIRPath, such as `Type.name[0].given[1]`."""
    owner, key, index = at
    name = key.removeprefix("_") if owner else key
    name = name if name.isidentifier() else f"`{name[:60]}`"
    text = f"{expression(owner)}.{name}" if owner else name
    return text if index < 0 else f"{text}[{index}]"


def quoted(value: Any) -> str:
    """A value in few words, to be shown to the one who sent it: what is within objects is not repeated."""
    if isinstance(value, dict):
        names = list(cast("Object", value))
        return f"an object with {', '.join(name[:30] for name in names[:5])}" if names else "{}"
    if isinstance(value, list):
        return f"an array of {len(cast('list[Any]', value))}"
    if isinstance(value, str):
        short = value if len(value) <= 80 else f"{value[:77]}..."
        value = short.encode(errors="replace").decode()
    return ENCODER.encode(value).decode(errors="replace")[:90]


class Walk:
    """The state of one walk: what was found, and the resource within which `#id` is looked up."""

    def __init__(self, *, conditional_references: bool = False, part_of_another: bool = False) -> None:
        self.issues: list[Issue] = []
        self.found = 0
        self._scope = Scope()
        self._conditional = conditional_references
        self._part = part_of_another

    def add(self, code: str, at: At, diagnostics: str, details_code: str | None = None) -> None:
        """Note one thing that is wrong."""
        self.found += 1
        if self.found <= MOST_ISSUES:
            self.issues.append(Issue("error", code, diagnostics, expression(at), details_code))

    def resource(self, value: Object, at: At) -> None:
        """Check a resource that is not contained in another."""
        outer, self._scope = self._scope, scope_of(value)
        self._contents(value, at)
        if "contained" in value:
            for index, fault in contained_faults(value, self._scope.used):
                self.add("invariant", (at, "contained", index), fault.text, fault.key)
        self._scope = outer

    def _contents(self, value: Object, at: At) -> None:
        """Check a resource within the present scope."""
        type_name = value.get("resourceType")
        if isinstance(type_name, str) and definitions.is_resource_type(type_name):
            self._object(value, shape_of(type_name), at)
        else:
            self._unknown_type(type_name, at)

    def _unknown_type(self, type_name: Any, at: At) -> None:
        near = get_close_matches(str(type_name), definitions.resource_types(), 3) if type_name else []
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        text = f"{quoted(type_name)} is no resource type of R4{hint}"
        self.add("structure", (at, "resourceType", -1), text)

    def _object(self, value: Object, shape: Shape, at: At) -> None:
        """Check all properties of an object. The one loop that runs for good content too: keep it lean."""
        before = self.found
        fields = shape.fields
        chosen = None
        for key, item in value.items():
            field = fields.get(key)
            if field is None:
                self._unknown(key, shape, at)
                continue
            if field.choice:
                chosen = self._choose(chosen or {}, field, at)
            if field.many:
                self._array(item, field, value, at)
            elif field.kind:
                self._one(item, field, value, (at, key, -1))
            elif not field.holds(item):
                self._primitive(item, field, (at, key, -1))
        if shape.required or shape.rules:
            self._whole(value, shape, at, sound=before == self.found)

    def _whole(self, value: Object, shape: Shape, at: At, *, sound: bool) -> None:
        """Check what must be there, and the invariants if everything below is sound."""
        for element, keys in shape.required:
            if keys.isdisjoint(value):
                sound = False
                self.add("required", at, f"{element.name} is missing", "required-element")
        for rule in shape.rules if sound else ():
            if not rule.holds(value):
                self.add("invariant", at, f"{rule.key}: {shape.path} needs {rule.demands}", rule.key)

    def _unknown(self, key: str, shape: Shape, at: At) -> None:
        # Looking for near names is slow: a body full of strange names gets it for the first few.
        near = get_close_matches(key, shape.names, 3) if self.found < _MOST_HINTS else []
        hint = f"; did you mean {' or '.join(near)}?" if near else f"; known: {', '.join(shape.names[:60])}"
        text = f"{shape.path} has no element {quoted(key)}{hint}"
        self.add("structure", (at, key, -1), text, "unknown-element")

    def _choose(self, chosen: dict[str, str], field: Field, at: At) -> dict[str, str]:
        """Note which branch of a choice is there; `valueX` and `_valueX` are one branch."""
        first = chosen.setdefault(field.choice, field.name)
        if first != field.name:
            text = f"{first} and {field.name} exclude each other: {field.choice}[x] takes one type"
            self.add("structure", (at, field.choice, -1), text, "choice")
        return chosen

    def _array(self, items: Any, field: Field, owner: Object, at: At) -> None:
        kind = items.__class__  # type() would narrow, narrowing asks for casts below, and casts take time
        if kind is list and items:
            if not field.kind:
                self._primitives(items, field, owner, at)
                return
            if field.kind is Kind.SIBLING:
                self._aligned(items, field, owner, at)
            for index, item in enumerate(items):
                self._one(item, field, owner, (at, field.key, index))
        elif kind is list:
            text = "an array cannot be empty; leave the element out"
            self.add("structure", (at, field.key, -1), text, "empty")
        else:
            text = f"an array is needed, not {quoted(items)}: {field.name} may stand more than once"
            self.add("structure", (at, field.key, -1), text, "cardinality")

    def _aligned(self, items: list[Any], field: Field, owner: Object, at: At) -> None:
        values: Any = owner.get(field.name)
        if isinstance(values, list) and len(cast("list[Any]", values)) < len(items):
            text = f"{field.key} is longer than {field.name}; null fills the places without a value"
            self.add("structure", (at, field.key, -1), text, "unaligned")

    def _primitives(self, items: list[Any], field: Field, owner: Object, at: At) -> None:
        for index, item in enumerate(items):
            if not field.holds(item) and not (item is None and _filled(owner.get(f"_{field.key}"), index)):
                self._primitive(item, field, (at, field.key, index))

    def _primitive(self, value: Any, field: Field, at: At) -> None:
        """Say why a primitive is not good."""
        if type(value) in (dict, list) or value is None:
            text = f"one value is needed, not {quoted(value)}; allowed: {field.allowed}"
            self.add("structure", at, text, "null" if value is None else "wrong-type")
        elif value == "":
            self.add("structure", at, "text cannot be empty; leave the element out", "empty")
        elif field.type_name == "xhtml" and isinstance(value, str):
            self.add("invariant", at, f"txt-1: {'; '.join(narrative.faults(value)[:10])}", "txt-1")
        elif field.codes:
            text = f"{quoted(value)} is not in the value set {field.element.codes}; allowed: {field.allowed}"
            self.add("code-invalid", at, text)
        else:
            self.add("value", at, f"{quoted(value)} is not {field.type_name}; allowed: {field.allowed}")

    def _one(self, value: Any, field: Field, owner: Object, at: At) -> None:
        """Check one value that must be an object."""
        kind = value.__class__
        if kind is not dict or not value:
            self._no_object(value, field, owner, at)
        elif field.kind is Kind.RESOURCE:
            self._nested(value, field, at)
        else:
            self._object(value, field.shape, at)
            if field.kind is Kind.REFERENCE:
                self._reference(value, field, at)
            elif field.kind is Kind.CONCEPT and field.codes:
                self._concept(value, field, at)
            if len(value) == 1 and "id" in value and not (field.kind is Kind.SIBLING and field.name in owner):
                self.add("structure", at, "ele-1: an element needs more than an id", "ele-1")

    def _no_object(self, value: Any, field: Field, owner: Object, at: At) -> None:
        """Say what stands where an object must, unless it is a null that fills an array of extensions."""
        if value == {}:
            self.add("structure", at, "an object cannot be empty; leave the element out", "empty")
        elif value is not None:
            detail = "cardinality" if isinstance(value, list) else "wrong-type"
            text = f"one object of type {field.type_name} is needed, not {quoted(value)}"
            self.add("structure", at, text, detail)
        elif field.kind is not Kind.SIBLING or not field.many or not _filled(owner.get(field.name), at[2]):
            self.add(
                "structure", at, "null may stand only in an array, beside a value or its extensions", "null"
            )

    def _nested(self, value: Object, field: Field, at: At) -> None:
        """A contained resource shares the scope of its container; any other has its own."""
        if field.name == "contained":
            self._contents(value, at)
        else:
            self.resource(value, at)

    def _reference(self, value: Object, field: Field, at: At) -> None:
        literal = value.get("reference")
        if not isinstance(literal, str):
            return
        if literal.startswith("#"):
            self._scope.used.add(literal)
        fault = reference_fault(literal, value.get("type"), field.targets, self._scope, self._conditional)
        if fault and not (self._part and fault.key == "ref-1"):
            code = "invariant" if fault.key else "value"
            self.add(code, (at, "reference", -1), f"{quoted(literal)} {fault.text}", fault.key or None)

    def _concept(self, value: Object, field: Field, at: At) -> None:
        """A required binding of a CodeableConcept: one coding is of the value set."""
        codings = cast("list[Any]", value["coding"]) if isinstance(value.get("coding"), list) else []
        codes = field.codes or {}
        if not any(_is_of(coding, codes) for coding in codings):
            allowed = "; ".join(f"{system}: {', '.join(sorted(names))}" for system, names in codes.items())
            given = ", ".join(map(_spelt, codings[:5])) or "no coding"
            text = f"{given}: none is in the value set {field.element.codes}; allowed: {allowed}"
            self.add("code-invalid", at, text)


def _spelt(coding: Any) -> str:
    """A Coding as `system|code`."""
    if type(coding) is not dict:
        return quoted(coding)
    parts = cast("Object", coding)
    return f"{parts.get('system', '')}|{parts.get('code', '')}"[:120]


def _is_of(coding: Any, codes: dict[str, frozenset[str]]) -> bool:
    """Whether a Coding is one of the codes, by system."""
    if type(coding) is not dict:
        return False
    system, code = (cast("Object", coding).get(name) for name in ("system", "code"))
    return isinstance(system, str) and isinstance(code, str) and code in codes.get(system, ())


def _filled(items: Any, index: int) -> bool:
    """Whether the other array of a repeating primitive has something at the index."""
    return type(items) is list and index < len(items) and items[index] is not None  # pyright: ignore[reportUnknownArgumentType]
