"""Where in a resource a FHIRPath expression points: https://hl7.org/fhir/R4/fhirpath.html.

The steps of a path lead from place to place here; what stands within ``where(...)`` is left to the evaluator,
which knows values but not the places that they stand at.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from importlib import import_module
from typing import Any, cast

from gateway.errors import BadRequest, Problem, Unprocessable
from gateway.fhir.fhirpath_place import Object, Place, inner_shape
from gateway.fhir.shapes import Kind, Shape, shape_of

Node = dict[str, Any]
Places = list[Place]

LONGEST = 1000
"""So many characters may stand in a path."""

# A path of a patch chooses: nothing that it needs makes collections grow, and other resources are none of its
# business. Whatever else is called could cost time without bound.
_CALLABLE = frozenset(
    """
    where first last tail skip take single ofType as is exists empty not count extension hasValue startsWith
    endsWith contains lower upper toString
    """.split()  # noqa: SIM905  a column of strings reads worse
)
_QUOTED = re.compile(r"'((?:[^'\\]|\\['\\/`\"])*)'", re.DOTALL)
_NUMBER = re.compile(r"\d{1,6}", re.ASCII)
_PASSED = frozenset({None, "TermExpression", "InvocationTerm", "ParenthesizedTerm"})
# The evaluator keeps the state of a run in its module.
_ONE_AT_A_TIME = threading.Lock()


def single(resource: Object, path: str) -> Place | None:
    """Return the one place that a path points to, None where it points nowhere.

    Raises BadRequest for a path that cannot be read, Unprocessable for one that points to several places, or
    to what is no element of the resource.
    """
    return _only(_Path(resource, path).places(_parsed(path)), path)


def list_at(resource: Object, path: str) -> tuple[Object, Shape, str] | None:
    """Return the object whose list a path names, its shape, and the name; None where there is no object.

    The list itself need not be there. Raises as ``single``.
    """
    node = _parsed(path)
    while node.get("type") in _PASSED:
        node = node["children"][0]
    around = node["type"] == "InvocationExpression"
    before, last = cast("list[Node]", node["children"]) if around else (Node(), node)
    if last["type"] != "MemberInvocation":
        raise Unprocessable(f"{path[:200]}: it is no list.")
    steps = _Path(resource, path)
    owner = _only(steps.places(before) if before else [steps.root], path)
    return None if owner is None else (*owner.inside(), _name(last))


def _only(places: Places, path: str) -> Place | None:
    if len(places) > 1:
        told = f"{path[:200]}: {len(places)} elements are there; the path of a patch has one."
        raise Unprocessable(told)
    return places[0] if places else None


@lru_cache(maxsize=256)
def _parsed(path: str) -> Node:
    # Loaded by who patches: the grammar takes a while.
    import fhirpathpy.parser

    parser: Any = fhirpathpy.parser
    try:
        tree: Node = parser.parse(path) if len(path) <= LONGEST else {}
        usable = bool(tree) and all(map(_usable, _nodes(tree)))
    except Exception as error:  # noqa: BLE001 - whatever the parser raises, the path is to blame
        raise BadRequest(f"{path[:200]}: the path cannot be read ({type(error).__name__}).") from None
    if not usable:
        raise BadRequest(f"{path[:100]}: a patch cannot use this path.")
    return tree


def _nodes(tree: Node) -> Iterator[Node]:
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += node.get("children", [])


def _usable(node: Node) -> bool:
    kind = node.get("type")
    return kind != "UnionExpression" and (kind != "Functn" or _name(node) in _CALLABLE)


def _name(node: Node) -> str:
    """Return the name of a member or of a function."""
    return str(node["children"][0]["text"]).strip("`")


class _Path:
    """The steps of one path through a resource."""

    def __init__(self, resource: Object, path: str) -> None:
        self.root = Place(resource, shape_of(resource["resourceType"]))
        self.path = path

    def places(self, node: Node) -> Places:
        """Return the places that a path leads to from the resource. Raises BadRequest, Unprocessable."""
        try:
            return self._from([self.root], node)
        except Problem:
            raise
        except Exception as error:  # noqa: BLE001 - whatever the evaluator raises, the path is to blame
            told = f"{self.path[:200]}: the path cannot be evaluated ({type(error).__name__})."
            raise BadRequest(told) from None

    def _from(self, focus: Places, node: Node) -> Places:
        kind, parts = node.get("type"), node.get("children", [])
        if kind in _PASSED:
            return self._from(focus, parts[0])
        if kind == "InvocationExpression":
            return self._from(self._from(focus, parts[0]), parts[1])
        if kind == "MemberInvocation":
            return self._members(focus, _name(node))
        if kind == "FunctionInvocation":
            return self._called(focus, parts[0])
        if kind == "IndexerExpression":
            first = self._number(parts[1])
            return self._from(focus, parts[0])[first : first + 1]
        if kind == "TypeExpression" and node["terminalNodeText"] == ["as"]:
            return _of_type(self._from(focus, parts[0]), parts[1]["text"])
        raise self._no_element()

    def _members(self, focus: Places, name: str) -> Places:
        if len(focus) == 1 and focus[0] is self.root and name == self.root.shape.path:
            return focus
        return [child for place in focus for child in place.children(name)]

    def _called(self, focus: Places, node: Node) -> Places:
        name, parameters = _name(node), node["children"][1:]
        given: list[Node] = parameters[0]["children"] if parameters else []
        if name in _CUTS and not given:
            return _CUTS[name](focus)
        if len(given) == 1:
            if name in ("skip", "take"):
                cut = self._number(given[0])
                return focus[cut:] if name == "skip" else focus[:cut]
            if name in ("ofType", "as"):
                return _of_type(focus, given[0]["text"])
            if name == "extension":
                return self._extensions(focus, given[0])
            if name == "where":
                return [place for at, place in enumerate(focus) if self._holds(place, at, given[0])]
        if name == "single" and not given:
            return [one] if (one := _only(focus, self.path)) else []
        raise self._no_element()

    def _extensions(self, focus: Places, node: Node) -> Places:
        url = _QUOTED.fullmatch(node["text"])
        if url is None:
            raise self._no_element()
        wanted = re.sub(r"\\(.)", r"\1", url[1])
        return [found for found in self._members(focus, "extension") if found.value.get("url") == wanted]

    def _number(self, node: Node) -> int:
        if not _NUMBER.fullmatch(node["text"]):
            raise self._no_element()
        return int(node["text"])

    def _no_element(self) -> Unprocessable:
        return Unprocessable(f"{self.path[:200]}: this is no element of the resource.")

    def _holds(self, place: Place, index: int, criterion: Node) -> bool:
        """Tell whether the criterion of a where() holds for a place (singleton evaluation, FHIRPath 4.5)."""
        found = _evaluated(self.root.owner, place, index, criterion)
        if len(found) > 1:
            raise Unprocessable(f"{self.path[:200]}: a criterion has several values.")
        return bool(found) and found[0] is not False


_CUTS: dict[str, Callable[[Places], Places]] = {
    "first": lambda focus: focus[:1],
    "last": lambda focus: focus[-1:],
    "tail": lambda focus: focus[1:],
}


def _of_type(focus: Places, name: str) -> Places:
    wanted = name.strip("`").removeprefix("FHIR.")
    return [place for place in focus if wanted in _types(place)]


def _types(place: Place) -> tuple[str, ...]:
    field = place.field
    if field is None or field.kind is Kind.RESOURCE:
        return place.value["resourceType"], "DomainResource", "Resource"
    return (field.type_name,)


def _evaluated(resource: Object, place: Place, index: int, criterion: Node) -> list[Any]:
    """Return the values of an expression at a place."""
    engine: Any = import_module("fhirpathpy.engine")
    nodes: Any = import_module("fhirpathpy.engine.nodes")
    focus = [nodes.ResourceNode.create_node(value, _path_of(place)) for value in _values(place, criterion)]
    context: dict[str, Any] = {
        "dataRoot": focus,
        "vars": {"context": resource, "resource": resource, "ucum": "http://unitsofmeasure.org"},
        "model": _model(),
        "userInvocationTable": {},
        "$this": focus,
        "$index": index,
    }
    with _ONE_AT_A_TIME:
        nodes.TypeInfo.model = context["model"]
        import_module("fhirpathpy.engine.invocations.constants").constants.reset()
        found: Any = engine.do_eval(context, focus, criterion)
    items: list[Any] = cast("list[Any]", found) if isinstance(found, list) else [found]
    return [getattr(item, "data", item) for item in items]


def _values(place: Place, criterion: Node) -> list[Any]:
    """Return a place as values: the evaluator takes what belongs to a primitive for a value of its own, which
    ``$this`` is not.
    """
    itself = any(node.get("type") == "ThisInvocation" for node in _nodes(criterion))
    values = [value for value in (place.value, place.beside) if value is not None]
    return values[:1] if itself and place.value is not None else values


def _path_of(place: Place) -> str:
    """Return the path by which the evaluator knows what may stand below a place."""
    if place.field is None:
        return place.shape.path
    primitive = place.field.kind is Kind.PRIMITIVE
    return place.field.type_name if primitive else inner_shape(place.value, place.field).path


@cache
def _model() -> Any:
    """Return what the evaluator must know of R4: the branches of choices."""
    return import_module("fhirpathpy.models").models["r4"]
