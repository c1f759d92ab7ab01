"""How large a search may be: what is asked for at once is planned at once, and the caller waits for it.

https://hl7.org/fhir/R4/search.html#errors
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.errors import BadRequest
from storage.search.query import Asked, ByType, Chained, Combined, Condition, Positioned, Target, Together

MOST_CONDITIONS, MOST_VALUES = 100, 2000
MOST_LINKS = 50
"""So many references may be followed one beside the other."""
MOST_COMPARISONS = 2000
"""So many comparisons may be needed for values of several parts each."""
_OF_A_POINT = 5


def see_values(conditions: Sequence[Asked], values: Sequence[str]) -> None:
    """Raise BadRequest where another condition, or all ``values`` as they were given, are too many."""
    if len(conditions) >= MOST_CONDITIONS:
        raise BadRequest(f"A search may have {MOST_CONDITIONS} conditions.")
    if sum(text.count(",") + 1 for text in values) > MOST_VALUES:
        raise BadRequest(f"A search may have {MOST_VALUES} values.")


def see_work(conditions: Sequence[Asked]) -> None:
    """Raise BadRequest where conditions follow too many references, or have too much to compare."""
    if sum(map(_links, conditions)) > MOST_LINKS:
        raise BadRequest(f"The chains of a search may have {MOST_LINKS} links in all.")
    if sum(map(_comparisons, conditions)) > MOST_COMPARISONS:
        raise BadRequest("A search may have fewer values that are made of several parts.")


def _links(asked: Asked) -> int:
    if isinstance(asked, Chained):
        return 1 + _links(asked.condition)
    within = [_links(part) for part in _parts(asked)]
    # Alternatives are planned each by itself, what must hold together is planned together.
    return sum(within) if isinstance(asked, Combined) and asked.how == "all" else max(within, default=0)


def _comparisons(asked: Asked) -> int:
    if isinstance(asked, Condition):
        return len(asked.values) * sum(map(_weight, asked.targets))
    return sum(map(_comparisons, _parts(asked)))


def _parts(asked: Asked) -> Sequence[Asked]:
    match asked:
        case Chained(condition=inner):
            return (inner,)
        case Combined(parts=parts):
            return parts
        case ByType(types=types):
            return [inner for _, _, inner in types]
        case _:
            return ()


def _weight(target: Target) -> int:
    """Return how many comparisons a value takes at a target; of those of one column many take no time."""
    if isinstance(target, Together):
        return sum(map(len, target.parts))
    return _OF_A_POINT if isinstance(target, Positioned) else 0
