"""How two versions of a resource differ, element by element, for whoever decides whether to go on."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import Any, NamedTuple, cast

from storage.lexical import DECODER

SERVER_OWNED = frozenset({"id", "resourceType", "meta.versionId", "meta.lastUpdated", "meta.source"})
"""What differs between any two versions, or tells nothing."""


class Difference(NamedTuple):
    """A place in a resource (``name[0].given[1]``), and its value before and after; None: there is none."""

    path: str
    before: Any
    after: Any


def differences(before: bytes | None, after: bytes | None) -> list[Difference]:
    """Return where two versions differ; None is a version that is not there, or a deletion."""
    old: Any = {} if before is None else DECODER.decode(before)
    new: Any = {} if after is None else DECODER.decode(after)
    return [found for found in _compare("", old, new) if found.path not in SERVER_OWNED]


def _compare(path: str, before: Any, after: Any) -> Iterator[Difference]:
    if isinstance(before, dict) and isinstance(after, dict):
        old, new = cast("dict[str, Any]", before), cast("dict[str, Any]", after)
        for name in {**old, **new}:
            yield from _compare(f"{path}.{name}" if path else name, old.get(name), new.get(name))
    elif isinstance(before, list) and isinstance(after, list):
        items = zip_longest(cast("list[Any]", before), cast("list[Any]", after))
        for place, (old, new) in enumerate(items):
            yield from _compare(f"{path}[{place}]", old, new)
    elif path == "meta" and None in (before, after):
        yield from _compare(path, before or {}, after or {})
    elif before != after:
        yield Difference(path, before, after)
