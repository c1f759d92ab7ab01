"""A call of an operation: what it is called on, and its parameters, from the URL and from the body.

https://hl7.org/fhir/R4/operations.html#request
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

from gateway.errors import BadRequest, NotFound, UnknownParameter
from gateway.fhir import wire
from gateway.fhir.query_string import Pair, pairs
from gateway.records import Caller, Records
from gateway.unit import mapping_of
from mappings.operations import Offered

Object = dict[str, Any]

CARRIER = "Parameters"
ALWAYS = ("_format", "_pretty")


@dataclass(frozen=True)
class Call:
    """What an operation works on. ``listed`` are the parameters of the URL and the simple ones of the body,
    ``parts`` the others of the body (resources, datatypes) by name; ``if_match`` is the version at which
    what is changed must stand.
    """

    records: Records
    caller: Caller
    base_url: str
    resource_type: str = ""
    fhir_id: str = ""
    listed: tuple[Pair, ...] = ()
    parts: dict[str, Any] = field(default_factory=dict[str, Any])
    prefer: str = ""
    if_match: int | None = None

    @property
    def place(self) -> str:
        """The URL that it was called on, without the name of the operation."""
        return "/".join(filter(None, (self.base_url, self.resource_type, self.fhir_id)))

    def see_inputs(self, known: tuple[str, ...]) -> None:
        """Raise UnknownParameter for a parameter that an operation has not."""
        for name in (*(name for name, _ in self.listed), *self.parts):
            if name not in known and name not in ALWAYS:
                named = ", ".join(dict.fromkeys(known)) or "none"
                told = f"The operation has no parameter {name[:60]!r}; it has {named}."
                raise UnknownParameter(told, expression=f"http.{name[:60]}")

    def see_parts(self, known: tuple[str, ...] = ()) -> None:
        """Raise BadRequest for a resource or datatype where a simple value is needed."""
        for name in self.parts:
            if name not in known:
                raise BadRequest(f"{name[:60]} is a simple value here.", expression=f"http.{name[:60]}")

    def one(self, name: str) -> str | None:
        """Return a simple parameter that may stand once, None where it is not given. Raises BadRequest."""
        found = [value for key, value in self.listed if key == name and value.strip()]
        if len(found) > 1:
            raise BadRequest(f"{name} may be given once.", expression=f"http.{name}")
        return found[0] if found else None


def inputs(query: str, body: bytes) -> tuple[tuple[Pair, ...], dict[str, Any]]:
    """Return simple and other parameters of a query string and a body of Parameters (or of one resource,
    which is then the parameter ``resource``). Raises NotParseable, BadRequest.
    """
    return parted(query, wire.decode(body) if body else None)


def parted(query: str, value: Object | None) -> tuple[tuple[Pair, ...], dict[str, Any]]:
    """Return what ``inputs`` does, of a body that was decoded. Raises BadRequest."""
    listed = pairs(query)
    if value is None:
        return tuple(listed), {}
    if value.get("resourceType") != CARRIER:
        return tuple(listed), {"resource": value}
    parts: dict[str, Any] = {}
    given: Any = value.get("parameter", [])
    for item in cast("list[Any]", given) if isinstance(given, list) else [given]:
        _take(item, listed, parts)
    return tuple(listed), parts


def see_offered(offered: Offered, resource_type: str) -> None:
    """See that a type ("": the system) has an operation. Raises UnsupportedType, NotFound."""
    if resource_type:
        mapping_of(resource_type)
    if offered.definition(resource_type) is None:
        raise NotFound(f"{resource_type} has no operation ${offered.name}.")


def _take(item: Any, listed: list[Pair], parts: dict[str, Any]) -> None:
    """Add one parameter of a body."""
    told: Object = cast("Object", item) if isinstance(item, dict) else {}
    name = told.get("name")
    values = [told[key] for key in told if key == "resource" or key.startswith("value")]
    if not isinstance(name, str) or len(values) != 1:
        raise BadRequest(
            "A parameter has a name, and a value or a resource.", expression=f"{CARRIER}.parameter"
        )
    if isinstance(values[0], dict | list):
        if name in parts:
            raise BadRequest(f"{name[:60]} may be given once.", expression=f"{CARRIER}.parameter")
        parts[name] = values[0]
    else:
        text = wire.encode({"": values[0]})[4:-1].decode() if not isinstance(values[0], str) else values[0]
        listed.append((name, text))


def output(name: str, kind: str, value: Any) -> bytes:
    """Return the Parameters that an operation answers with: one value, under its name."""
    return wire.encode({"resourceType": CARRIER, "parameter": [{"name": name, kind: value}]})
