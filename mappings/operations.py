"""Which operations are offered, of which types, and where their definitions are.

https://hl7.org/fhir/R4/operationslist.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Level = Literal["system", "type", "instance"]

_ROOT = "http://hl7.org/fhir/OperationDefinition/"


@dataclass(frozen=True)
class Offered:
    """An operation: its name without `$`, the levels at which it is called, and its definition by type (""
    for all types). ``inputs`` are its parameters by type, beside those of a search where it is one.
    """

    name: str
    levels: tuple[Level, ...]
    definitions: Mapping[str, str]
    inputs: Mapping[str, tuple[str, ...]]
    changes: bool = False

    def definition(self, resource_type: str) -> str | None:
        """Return the canonical URL of its definition for a type, None where the type has it not."""
        found = self.definitions.get(resource_type, self.definitions.get(""))
        return None if found is None else _ROOT + found

    def inputs_of(self, resource_type: str) -> tuple[str, ...]:
        """Return its parameters for a type."""
        return self.inputs.get(resource_type, self.inputs.get("", ()))


VALIDATE = Offered(
    "validate",
    ("type", "instance"),
    {"": "Resource-validate"},
    {"": ("resource", "mode", "profile")},
)
META = Offered("meta", ("system", "type", "instance"), {"": "Resource-meta"}, {})
META_ADD = Offered("meta-add", ("instance",), {"": "Resource-meta-add"}, {"": ("meta",)}, changes=True)
META_DELETE = Offered(
    "meta-delete", ("instance",), {"": "Resource-meta-delete"}, {"": ("meta",)}, changes=True
)
LASTN = Offered("lastn", ("type",), {"Observation": "Observation-lastn"}, {"Observation": ("max",)})
LATEST_OF, LATEST_BY = "code", "date"
"""The search parameters by which `$lastn` groups what it finds, and by which it tells what is latest."""
EVERYTHING = Offered(
    "everything",
    ("instance",),
    {"Patient": "Patient-everything", "Encounter": "Encounter-everything"},
    {
        "Patient": ("start", "end", "_since", "_type", "_count"),
        "Encounter": ("_since", "_type", "_count"),
    },
)
OPERATIONS = (VALIDATE, META, META_ADD, META_DELETE, LASTN, EVERYTHING)
